"""Real sockets on loopback: what keeps the GIL on Linux, and the plain ones for everywhere else."""

import socket
import time
from collections.abc import Callable

import pytest

from media import datagram
from media.datagram import (
    BATCH,
    LinuxPoller,
    LinuxSocket,
    PlainPoller,
    PlainSocket,
    bind_datagram,
    make_poller,
)
from media.errors import AddressInUse, BadAddress

Kind = str


@pytest.fixture(params=["plain", "linux"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Kind:
    name = str(request.param)
    if name == "linux" and not datagram.KEEPS_GIL:
        pytest.skip("these sockets are for 64-bit Linux")
    monkeypatch.setattr(datagram, "KEEPS_GIL", name == "linux")
    return name


@pytest.fixture(params=["127.0.0.1", "::1"])
def host(request: pytest.FixtureRequest) -> str:
    try:
        bind_datagram(str(request.param), 0).close()
    except BadAddress:
        pytest.skip(f"no {request.param} here")
    return str(request.param)


Receiver = LinuxSocket | PlainSocket


def await_datagrams(receiver: Receiver, count: int) -> list[tuple[bytes, tuple[str, int], float]]:
    received: list[tuple[bytes, tuple[str, int], float]] = []
    deadline = time.monotonic() + 2
    while len(received) < count and time.monotonic() < deadline:
        received += receiver.receive(time.monotonic())
    return received


def test_data_source_and_time_arrive(kind: Kind, host: str) -> None:
    a, b = bind_datagram(host, 0), bind_datagram(host, 0)
    assert isinstance(a, LinuxSocket if kind == "linux" else PlainSocket)
    before = time.monotonic()
    assert a.send(b"one", b.address)
    assert a.send(b"two" * 300, b.address)
    received = await_datagrams(b, 2)
    assert [(data, source) for data, source, _ in received] == [
        (b"one", a.address),
        (b"two" * 300, a.address),
    ]
    assert all(before - 0.01 <= arrival <= time.monotonic() for _, _, arrival in received)
    assert b.receive(time.monotonic()) == () or b.receive(time.monotonic()) == []
    a.close()
    b.close()
    b.close()
    assert b.fileno() == -1


@pytest.mark.skipif(not datagram.KEEPS_GIL, reason="needs the kernel's time stamps")
def test_the_time_is_that_of_arrival_not_of_reading() -> None:
    a, b = bind_datagram("127.0.0.1", 0), bind_datagram("127.0.0.1", 0)
    sent = time.monotonic()
    a.send(b"x", b.address)
    assert b.receive(sent + 1.5)[0][2] == pytest.approx(sent, abs=0.05)
    a.send(b"x", b.address)
    assert b.receive(sent + 3600)[0][2] == sent + 3600  # the wall clock was set: better now than nonsense
    a.close()
    b.close()


def test_the_poller_names_who_has_something(kind: Kind, host: str) -> None:
    a, b, poller = bind_datagram(host, 0), bind_datagram(host, 0), make_poller()
    expected: type = LinuxPoller if kind == "linux" else PlainPoller
    assert isinstance(poller, expected)
    assert list(poller.ready()) == []
    poller.watch(a, "a")
    poller.watch(b, "b")
    a.send(b"x", b.address)
    assert eventually(lambda: list(poller.ready()) == ["b"])
    b.receive(time.monotonic())
    assert list(poller.ready()) == []
    a.send(b"x", b.address)
    poller.unwatch(b)
    poller.unwatch(a)
    assert list(poller.ready()) == []
    for thing in (a, b, poller):
        thing.close()


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 2
    while not condition():
        if time.monotonic() > deadline:
            return False
    return True


def test_a_flood_is_taken_in_portions(kind: Kind) -> None:
    a, b = bind_datagram("127.0.0.1", 0), bind_datagram("127.0.0.1", 0)
    for number in range(BATCH + 5):
        a.send(b"%d" % number, b.address)
    first = await_datagrams(b, BATCH)
    assert len(first) == BATCH
    assert [data for data, _, _ in await_datagrams(b, 5)] == [b"%d" % n for n in range(BATCH, BATCH + 5)]
    a.close()
    b.close()


def test_too_long_a_datagram_is_no_harm(kind: Kind) -> None:
    a, b = bind_datagram("127.0.0.1", 0), bind_datagram("127.0.0.1", 0)
    a.send(bytes(20000), b.address)
    a.send(b"good", b.address)
    assert b"good" in [data for data, _, _ in await_datagrams(b, 2 if kind == "plain" else 1)]
    a.close()
    b.close()


def test_nobody_there_is_counted_at_most_and_never_fatal(kind: Kind) -> None:
    a, gone = bind_datagram("127.0.0.1", 0), bind_datagram("127.0.0.1", 0)
    gone.close()
    for _ in range(5):
        a.send(b"x", gone.address)
        assert list(a.receive(time.monotonic())) == []
    assert not a.send(b"x", ("2001:db8::1", 9))  # another family
    assert not a.send(b"x", ("no address", 9))
    assert a.send_errors >= 2
    b = bind_datagram("127.0.0.1", 0)
    assert a.send(b"x", b.address)
    a.close()
    b.close()


def test_many_sources_are_told_apart(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datagram, "_ADDRESS_CACHE", 4)
    b = bind_datagram("127.0.0.1", 0)
    senders = [bind_datagram("127.0.0.1", 0) for _ in range(10)]
    for sender in senders:
        sender.send(b"x", b.address)
    assert [source for _, source, _ in await_datagrams(b, 10)] == [sender.address for sender in senders]
    for sender in senders:
        sender.close()
    b.close()


def test_errors_name_what_is_wrong() -> None:
    a = bind_datagram("127.0.0.1", 0)
    with pytest.raises(AddressInUse, match=str(a.address[1])):
        bind_datagram("127.0.0.1", a.address[1])
    a.close()
    with pytest.raises(BadAddress, match="localhost"):
        bind_datagram("localhost", 0)
    with pytest.raises(BadAddress, match=r"192\.0\.2\.1"):
        bind_datagram("192.0.2.1", 0)


def test_without_the_kernels_time_stamps_the_time_of_reading_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not datagram.KEEPS_GIL:
        pytest.skip("these sockets are for 64-bit Linux")
    monkeypatch.setattr(datagram, "_SO_TIMESTAMPNS", 9999)
    raw = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    raw.bind(("127.0.0.1", 0))
    b, a = LinuxSocket(raw), bind_datagram("127.0.0.1", 0)
    a.send(b"x", b.address)
    assert b.receive(12345.0)[0][2] == 12345.0
    a.close()
    b.close()
