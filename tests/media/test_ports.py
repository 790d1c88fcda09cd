"""Pairs of ports from a range."""

import pytest

from media.config import PortRange
from media.errors import AddressInUse, BadAddress, PortsExhausted
from media.plan import Address
from media.ports import PortAllocator


class FakeSocket:
    def __init__(self, binder: "Binder", address: Address) -> None:
        self._binder = binder
        self.address = address
        self.send_errors = 1

    def send(self, data: bytes, destination: Address) -> bool:
        return True

    def receive(self, now: float) -> list[tuple[bytes, Address, float]]:
        return []

    def close(self) -> None:
        self._binder.bound.discard(self.address[1])


class Binder:
    """A machine with one address, on which `taken` are other programs' ports."""

    def __init__(self, *taken: int) -> None:
        self.bound = set(taken)
        self.attempts = 0

    def bind_datagram(self, host: str, port: int) -> FakeSocket:
        self.attempts += 1
        if host != "127.0.0.1":
            raise BadAddress(host)
        if port in self.bound:
            raise AddressInUse(host, port)
        self.bound.add(port)
        return FakeSocket(self, (host, port))


def test_pairs_are_even_and_odd_and_go_round() -> None:
    binder = Binder()
    ports = PortAllocator(binder, PortRange(10000, 10005))
    first = ports.allocate("127.0.0.1")
    assert first.address == ("127.0.0.1", 10000)
    assert first.rtcp is not None
    assert first.rtcp.address[1] == 10001
    first.close()
    first.close()
    assert [ports.allocate("127.0.0.1").address[1] for _ in range(3)] == [10002, 10004, 10000]


def test_ports_of_others_are_skipped_and_a_half_pair_is_given_back() -> None:
    binder = Binder(10000, 10003)
    ports = PortAllocator(binder, PortRange(10000, 10007))
    assert ports.allocate("127.0.0.1").address[1] == 10004
    assert 10002 not in binder.bound


def test_an_exhausted_range_is_named() -> None:
    ports = PortAllocator(Binder(10002), PortRange(10000, 10003))
    held = ports.allocate("127.0.0.1")
    assert ports.in_use == 1
    with pytest.raises(PortsExhausted, match="10000-10003") as raised:
        ports.allocate("127.0.0.1")
    assert raised.value.in_use == 1
    ports.release(held)
    assert ports.in_use == 0
    assert ports.allocate("127.0.0.1").address[1] == 10000


def test_a_wanted_port_is_that_port_or_an_error_that_names_it() -> None:
    ports = PortAllocator(Binder(20001), PortRange(10000, 10003))
    assert ports.allocate("127.0.0.1", 30000).address[1] == 30000
    with pytest.raises(AddressInUse, match="20001"):
        ports.allocate("127.0.0.1", 20000)
    with pytest.raises(AddressInUse, match="30000"):
        ports.allocate("127.0.0.1", 30000)


def test_a_bad_address_is_not_searched_for_in_the_whole_range() -> None:
    binder = Binder()
    with pytest.raises(BadAddress):
        PortAllocator(binder, PortRange(10000, 20000)).allocate("192.0.2.1")
    assert binder.attempts == 1


def test_our_own_pairs_cost_no_system_call() -> None:
    binder = Binder()
    ports = PortAllocator(binder, PortRange(10000, 10999))
    for _ in range(500):
        ports.allocate("127.0.0.1")
    assert binder.attempts == 1000
    with pytest.raises(PortsExhausted):
        ports.allocate("127.0.0.1")
    assert binder.attempts == 1000


def test_errors_of_both_sockets_are_summed() -> None:
    assert PortAllocator(Binder(), PortRange(10000, 10003)).allocate("127.0.0.1").send_errors == 2
