"""Real connections on loopback: TCP, and TLS with authorities made for the test."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from dialog.config import UserAgentConfig
from dialog.errors import AddressInUse, BadAddress, BadCertificate, LocalProtocolError
from dialog.events import CallConfirmed, CallEnded, CallFailed, Event, IncomingCall, SessionAnswer
from dialog.flow import Flow, HostPort, Target
from dialog.timers import Timers
from dialog.tls_settings import TlsSettings
from dialog.transport import stream
from dialog.transport.sockets import Sockets
from dialog.user_agent import TracedMessage, UserAgent

QUICK = Timers(T1=0.05, T2=0.2, T4=0.2)


class Certificates:
    """An authority and what it vouches for, as files."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.authority = trustme.CA()
        self.ca = folder / "ca.pem"
        self.authority.cert_pem.write_to_path(self.ca)
        self._folder = folder
        self.files = self.make(*names)

    def make(self, *names: str) -> tuple[Path, Path]:
        certificate = self.authority.issue_cert(*names)
        stem = names[0].replace("*", "any")
        key, chain = self._folder / f"{stem}.key", self._folder / f"{stem}.pem"
        certificate.private_key_pem.write_to_path(key)
        for number, blob in enumerate(certificate.cert_chain_pems):
            blob.write_to_path(chain, append=number > 0)
        return chain, key

    def server(self, **more: Any) -> TlsSettings:
        return TlsSettings(self.files[0], self.files[1], authorities=self.ca, **more)

    def client(self, **more: Any) -> TlsSettings:
        return TlsSettings(authorities=self.ca, **more)


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path, "127.0.0.1", "localhost")


class Ears:
    """Keeps what transports tell."""

    def __init__(self) -> None:
        self.data: list[tuple[Flow, bytes]] = []
        self.accepted: list[Flow] = []
        self.names: dict[Flow, frozenset[str]] = {}
        self.opened: dict[Target, Flow] = {}
        self.refused: dict[Target, str] = {}
        self.lost: dict[Flow, str] = {}

    def on_data(self, flow: Flow, data: bytes) -> None:
        self.data.append((flow, data))

    def on_accepted(self, flow: Flow, names: frozenset[str]) -> None:
        self.accepted.append(flow)
        self.names[flow] = names

    def on_opened(self, target: Target, flow: Flow) -> None:
        self.opened[target] = flow

    def on_refused(self, target: Target, reason: str) -> None:
        self.refused[target] = reason

    def on_lost(self, flow: Flow, reason: str) -> None:
        self.lost[flow] = reason


async def until(happened: Callable[[], object], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not happened():
            await asyncio.sleep(0.005)


class End:
    """The sockets of one side."""

    def __init__(self, **config: Any) -> None:
        self.ears = Ears()
        self.sockets = Sockets(UserAgentConfig(**{"bind": ("127.0.0.1", 0), **config}), self.ears)

    async def __aenter__(self) -> End:
        await self.sockets.start()
        return self

    async def __aexit__(self, *details: object) -> None:
        await self.sockets.aclose()
        await asyncio.sleep(0)

    def target(self, transport: str = "TCP", name: str = "127.0.0.1") -> Target:
        address = self.sockets.address_of(transport)
        assert address is not None
        return Target(transport, address, name if transport == "TLS" else "")

    async def connect(self, target: Target) -> Flow:
        self.sockets.open(target)
        await until(lambda: target in self.ears.opened or target in self.ears.refused)
        assert target not in self.ears.refused, self.ears.refused
        return self.ears.opened[target]

    async def refusal(self, target: Target) -> str:
        self.sockets.open(target)
        await until(lambda: target in self.ears.refused or target in self.ears.opened)
        assert target not in self.ears.opened
        return self.ears.refused[target]


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await test()

    asyncio.run(bounded())


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_bytes_go_both_ways_over_tcp(host: str) -> None:
    async def test() -> None:
        async with End(bind=(host, 0)) as alice, End(bind=(host, 0)) as bob:
            assert alice.sockets.address_of("TCP") == alice.sockets.address_of("UDP")
            flow = await alice.connect(bob.target())
            assert flow.local == alice.sockets.local_address  # where we listen, not the socket's own port
            alice.sockets.send(flow, b"hello")
            await until(lambda: bob.ears.data)
            ((theirs, data),) = bob.ears.data
            assert data == b"hello"
            assert bob.ears.accepted == [theirs]
            bob.sockets.send(theirs, b"back")
            await until(lambda: alice.ears.data)
            bob.sockets.close(theirs)
            await until(lambda: alice.ears.lost)
            assert alice.ears.lost == {flow: "the peer closed the connection"}
            assert bob.ears.lost == {}
            alice.sockets.send(flow, b"too late")
            assert alice.ears.lost[flow] == "the connection is closed"

    if host == "::1" and not _has_ipv6():
        pytest.skip("no IPv6 loopback here")
    run(test)


def test_listening_on_all_addresses_hears_both_families() -> None:
    if not _has_ipv6():
        pytest.skip("no IPv6 loopback here")

    async def test() -> None:
        async with End(bind=("::", 0)) as bob, End() as four, End(bind=("::1", 0)) as six:
            port = bob.sockets.local_address[1]
            await four.connect(Target("TCP", ("127.0.0.1", port)))
            await six.connect(Target("TCP", ("::1", port)))
            await until(lambda: len(bob.ears.accepted) == 2)
            assert {flow.remote[0] for flow in bob.ears.accepted} == {"127.0.0.1", "::1"}

    run(test)


def test_ports_in_use_and_addresses_that_are_none() -> None:
    async def test() -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            with pytest.raises(AddressInUse, match=f"TCP port {port} on 127.0.0.1 is in use.*or leave"):
                await End(bind=("127.0.0.1", port)).sockets.start()
            async with End(bind=("127.0.0.1", port), transports=("udp",)) as alone:
                assert alone.sockets.address_of("TCP") is None
                assert "not among our transports" in await alone.refusal(Target("TCP", ("127.0.0.1", port)))
        with pytest.raises(BadAddress, match="not an address of this machine"):
            await End(bind=("203.0.113.1", 0), transports=("tcp",)).sockets.start()
        with pytest.raises(BadAddress, match="70000 is not a port"):
            await End(bind=("127.0.0.1", 70000), transports=("tcp",)).sockets.start()
        with pytest.raises(LocalProtocolError, match="there is no transport pigeon"):
            await End(transports=("udp", "pigeon")).sockets.start()

    run(test)


def test_tcp_alone() -> None:
    async def test() -> None:
        async with End(transports=("tcp",)) as alice, End(transports=("tcp",)) as bob:
            assert alice.sockets.local_address == alice.sockets.address_of("TCP")
            assert alice.sockets.host_towards(("127.0.0.1", 1)) == "127.0.0.1"
            await alice.connect(bob.target())
        async with End(transports=("tcp",), bind=("0.0.0.0", 0)) as wide:
            assert wide.sockets.host_towards(("127.0.0.1", 1)) == "127.0.0.1"

    run(test)


def test_a_refused_connection_says_so() -> None:
    async def test() -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
            async with End() as alice:
                reason = await alice.refusal(Target("TCP", ("127.0.0.1", port)))
        assert reason == f"connection refused: nobody accepts TCP on 127.0.0.1:{port}"

    run(test)


def test_a_peer_that_does_not_read_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MAX_UNSENT_BYTES", 100_000)

    async def test() -> None:
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen()
            async with End() as alice:
                flow = await alice.connect(Target("TCP", deaf.getsockname()))
                for _ in range(200):
                    if alice.ears.lost:
                        break
                    alice.sockets.send(flow, b"x" * 100_000)
                assert alice.ears.lost == {flow: "the peer does not take what is sent"}

    run(test)


# TLS.


def test_bytes_go_both_ways_over_tls(certificates: Certificates) -> None:
    async def test() -> None:
        both = {"transports": ("udp", "tcp", "tls")}
        async with (
            End(tls=certificates.client(), **both) as alice,
            End(tls=certificates.server(), **both) as bob,
        ):
            assert alice.sockets.address_of("TLS") is None  # no certificate to show
            for name in ("127.0.0.1", "localhost"):
                bob.ears.data.clear()
                flow = await alice.connect(bob.target("TLS", name))
                assert flow.secure
                alice.sockets.send(flow, b"hello " + name.encode())
                await until(lambda: bob.ears.data)
            bob.sockets.send(bob.ears.accepted[-1], b"back")
            await until(lambda: alice.ears.data)
            assert alice.ears.data[0][0] == flow

    run(test)


def test_why_a_server_is_not_trusted(certificates: Certificates, tmp_path: Path) -> None:
    async def test() -> None:
        tls = {"transports": ("tls",)}
        async with (
            End(tls=certificates.server(), **tls) as bob,
            End(tls=certificates.client(), **tls) as alice,
        ):
            reason = await alice.refusal(bob.target("TLS", "example.com"))
            port = bob.target("TLS").address[1]
            assert reason.startswith(
                f"the certificate of example.com (127.0.0.1:{port}) is for another name: Hostname mismatch"
            )
            async with End(**tls) as stranger:
                reason = await stranger.refusal(bob.target("TLS"))
                assert reason.startswith(f"the certificate of 127.0.0.1:{port} is not trusted: ")
                assert "issuer certificate" in reason or "self" in reason
            async with End(tls=TlsSettings(verify=False), **tls) as careless:
                await careless.connect(bob.target("TLS", "example.com"))

    run(test)


def test_who_must_show_a_certificate(certificates: Certificates) -> None:
    async def test() -> None:
        tls = {"transports": ("tls",)}
        strict = certificates.server(verify_clients=True)
        async with End(tls=strict, **tls) as bob:
            async with End(tls=certificates.server(), **tls) as known:
                flow = await known.connect(bob.target("TLS"))
                known.sockets.send(flow, b"hello")
                await until(lambda: bob.ears.data)
            async with End(tls=certificates.client(), **tls) as unknown:
                # With TLS 1.3 the client hears of it only after its handshake.
                target = bob.target("TLS")
                unknown.sockets.open(target)
                await until(lambda: unknown.ears.lost or unknown.ears.refused)
                (reason,) = (*unknown.ears.lost.values(), *unknown.ears.refused.values())
                assert "certificate" in reason or "closed" in reason or "broke" in reason
            assert len(bob.ears.accepted) == 1
            assert bob.ears.names[bob.ears.accepted[0]] == {"127.0.0.1", "localhost"}

    run(test)


def test_what_does_not_speak_tls() -> None:
    async def test() -> None:
        async with End() as plain, End(transports=("udp", "tls")) as alice:
            address = plain.target().address

            async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                writer.write(b"SIP/2.0 400 What\r\n\r\n")
                await reader.read(10)
                writer.close()

            server = await asyncio.start_server(nonsense, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            reason = await alice.refusal(Target("TLS", ("127.0.0.1", port), "127.0.0.1"))
            assert reason == f"what listens on 127.0.0.1:{port} does not speak TLS"
            server.close()
            await server.wait_closed()
            assert address

    run(test)


def test_handshakes_that_never_end_are_bounded(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MAX_HANDSHAKES", 5)

    async def test() -> None:
        tls = {"transports": ("tls",)}
        async with (
            End(tls=certificates.server(), **tls) as bob,
            End(tls=certificates.client(), **tls) as alice,
        ):
            idle = [await asyncio.open_connection(*bob.target("TLS").address) for _ in range(20)]
            transport = bob.sockets._streams["TLS"]
            await until(lambda: len(transport._handshakes) == 5)
            flow = await alice.connect(bob.target("TLS"))
            alice.sockets.send(flow, b"still served")
            await until(lambda: bob.ears.data)
            for _, writer in idle:
                writer.close()

    run(test)


def test_a_server_that_never_shakes_hands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "CONNECT_TIMEOUT_S", 0.2)

    async def test() -> None:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            port = silent.getsockname()[1]
            async with End(transports=("tls",)) as alice:
                reason = await alice.refusal(Target("TLS", ("127.0.0.1", port), "pbx.example.com"))
        assert reason == f"pbx.example.com (127.0.0.1:{port}) does not answer on TLS"

    run(test)


def test_files_that_cannot_be_used(certificates: Certificates, tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense", "ascii")
    other = Certificates(tmp_path / "..", "other.example")
    cases = [
        (TlsSettings(certificate=tmp_path / "none.pem"), "there is no certificate"),
        (TlsSettings(certificates.files[0], tmp_path / "none.key"), "there is no key"),
        (TlsSettings(certificates.files[0], other.files[1]), "cannot be used: .*belong together"),
        (TlsSettings(nonsense), "cannot be used"),
        (TlsSettings(authorities=tmp_path / "none.pem"), "there is no file of certificate authorities"),
        (TlsSettings(authorities=nonsense), "no certificate authority can be read"),
    ]

    async def test() -> None:
        for settings, words in cases:
            with pytest.raises(BadCertificate, match=words):
                await End(transports=("udp", "tls"), tls=settings).sockets.start()

    run(test)


# Whole calls.


class Phone:
    """A user agent that answers every call and keeps its events."""

    def __init__(self, *transports: str, tls: TlsSettings | None = None) -> None:
        self.events: list[Event] = []
        self.trace: list[TracedMessage] = []
        config = UserAgentConfig(
            bind=("127.0.0.1", 0), transports=transports, tls=tls or TlsSettings(), timers=QUICK
        )
        self.agent = UserAgent(config, self._on_event, on_message=self.trace.append)

    def _on_event(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, IncomingCall):
            event.usage.ring()
            event.usage.accept(b"v=0 answer")

    async def __aenter__(self) -> Phone:
        await self.agent.start()
        return self

    async def __aexit__(self, *details: object) -> None:
        await self.agent.aclose()

    async def event(self, kind: type[Event]) -> Event:
        await until(lambda: any(isinstance(event, kind) for event in self.events))
        return next(event for event in self.events if isinstance(event, kind))

    def at(self, transport: str, host: str = "127.0.0.1") -> HostPort:
        address = self.agent.address_of(transport)
        assert address is not None
        return host, address[1]


@pytest.mark.parametrize("transport", ["TCP", "TLS"])
@pytest.mark.parametrize("hangs_up", ["caller", "callee"])
def test_a_call(transport: str, hangs_up: str, certificates: Certificates) -> None:
    async def test() -> None:
        all_three = ("udp", "tcp", "tls")
        async with (
            Phone(*all_three, tls=certificates.server()) as alice,
            Phone(*all_three, tls=certificates.server()) as bob,
        ):
            host, port = bob.at(transport)
            uri = f"sip:bob@{host}:{port};transport={transport.lower()}"
            call = alice.agent.invite(uri, from_="<sip:alice@example.com>", body=b"v=0 offer")
            await alice.event(SessionAnswer)
            await bob.event(CallConfirmed)
            if hangs_up == "caller":
                call.bye()
            else:
                (theirs,) = (event.usage for event in bob.events if isinstance(event, IncomingCall))
                theirs.bye()
            await alice.event(CallEnded)
            await bob.event(CallEnded)
            assert {message.transport for message in (*alice.trace, *bob.trace)} == {transport}
            assert (
                len([m for m in alice.trace if m.direction == "sent" and m.data.startswith(b"INVITE")]) == 1
            )

    run(test)


def test_a_sips_call_says_sips_in_its_contact(certificates: Certificates) -> None:
    async def test() -> None:
        async with (
            Phone("udp", "tls", tls=certificates.server()) as alice,
            Phone("udp", "tls", tls=certificates.server()) as bob,
        ):
            uri = f"sips:bob@127.0.0.1:{bob.at('TLS')[1]}"
            call = alice.agent.invite(uri, from_="<sips:alice@example.com>", body=b"v=0 offer")
            await alice.event(SessionAnswer)
            contacts = [
                line for m in alice.trace for line in m.data.split(b"\r\n") if line.startswith(b"Contact")
            ]
            assert len(contacts) >= 2
            assert all(b"<sips:" in contact for contact in contacts)
            call.bye()
            await bob.event(CallEnded)

    run(test)


def test_a_long_request_goes_by_tcp_and_by_udp_where_there_is_none() -> None:
    async def test() -> None:
        offer = b"v=0 offer" + b" " * 1500
        async with Phone("udp", "tcp") as alice, Phone("udp", "tcp") as bob, Phone("udp") as carol:
            for phone, transport in ((bob, "TCP"), (carol, "UDP")):
                host, port = phone.agent.local_address
                alice.agent.invite(f"sip:x@{host}:{port}", from_="<sip:alice@example.com>", body=offer)
                await phone.event(CallConfirmed)
                invites = [m for m in phone.trace if m.data.startswith(b"INVITE")]
                assert [m.transport for m in invites] == [transport]
                assert f"Via: SIP/2.0/{transport}".encode() in invites[0].data

    run(test)


def test_a_call_that_cannot_be_connected_says_why(certificates: Certificates) -> None:
    async def test() -> None:
        async with (
            Phone("udp", "tls", tls=TlsSettings()) as alice,
            Phone("tls", tls=certificates.server()) as bob,
        ):
            uri = f"sips:bob@127.0.0.1:{bob.at('TLS')[1]}"
            alice.agent.invite(uri, from_="<sip:alice@example.com>", body=b"v=0 offer")
            failed = await alice.event(CallFailed)
            assert isinstance(failed, CallFailed)
            assert (failed.status, failed.cause) == (503, "transport")
            assert "is not trusted" in failed.reason

    run(test)


def test_the_next_request_after_a_broken_connection_makes_a_new_one() -> None:
    async def test() -> None:
        async with Phone("udp", "tcp") as alice, Phone("udp", "tcp") as bob:
            host, port = bob.at("TCP")
            call = alice.agent.invite(
                f"sip:bob@{host}:{port};transport=tcp", from_="<sip:alice@example.com>", body=b"v=0 offer"
            )
            await bob.event(CallConfirmed)
            for phone in (alice, bob):
                for connection in list(phone.agent._open_sockets()._streams["TCP"]._connections.values()):
                    connection.abort()
            await asyncio.sleep(0.05)
            call.bye()
            await bob.event(CallEnded)
            await alice.event(CallEnded)

    run(test)


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_contexts_speak_no_old_tls(certificates: Certificates) -> None:
    from dialog.transport.tls import client_context, server_context

    for context in (client_context(certificates.client()), server_context(certificates.server())):
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
