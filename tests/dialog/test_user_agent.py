"""The driver over real loopback sockets."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable
from types import UnionType

import pytest

from dialog.errors import AddressInUse, BadAddress, LocalProtocolError
from dialog.events import (
    CallConfirmed,
    CallEnded,
    CallFailed,
    Event,
    IncomingCall,
    OptionsAnswered,
    SessionAnswer,
    UsageEvent,
)
from dialog.flow import HostPort
from dialog.timers import Timers
from dialog.usage.invite import UsageState
from dialog.user_agent import TracedMessage, UserAgent, UserAgentConfig

QUICK = Timers(T1=0.02, T2=0.08, T4=0.1)


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


class Endpoint:
    """A user agent that keeps its events and lets a test wait for one."""

    def __init__(self, host: str = "127.0.0.1", on_event: Callable[[Event], None] | None = None) -> None:
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.trace: list[TracedMessage] = []
        self._handler = on_event
        self.agent = UserAgent(
            UserAgentConfig(bind=(host, 0), timers=QUICK), self._on_event, on_message=self.trace.append
        )

    def _on_event(self, event: Event) -> None:
        self.events.put_nowait(event)
        if self._handler is not None:
            self._handler(event)

    async def wait(self, kind: type[Event] | UnionType) -> Event:
        while True:
            event = await asyncio.wait_for(self.events.get(), 5)
            if isinstance(event, kind):
                return event

    @property
    def uri(self) -> str:
        host, port = self.agent.local_address
        return f"sip:bob@[{host}]:{port}" if ":" in host else f"sip:bob@{host}:{port}"


def answers(event: Event) -> None:
    if isinstance(event, IncomingCall):
        event.usage.ring()
        event.usage.accept(b"v=0 answer")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_a_call_over_loopback(host: str) -> None:
    if host == "::1" and not has_ipv6():
        pytest.skip("no IPv6 loopback here")

    async def run() -> None:
        alice = Endpoint("127.0.0.1" if host == "localhost" else host)
        bob = Endpoint("127.0.0.1" if host == "localhost" else host, answers)
        await alice.agent.start()
        await bob.agent.start()
        uri = bob.uri.replace("127.0.0.1", host)
        call = alice.agent.invite(uri, from_="<sip:alice@example.com>", body=b"v=0 offer")
        answer = await alice.wait(SessionAnswer)
        assert isinstance(answer, SessionAnswer)
        assert answer.body == b"v=0 answer"
        await bob.wait(CallConfirmed)
        call.bye()
        await bob.wait(CallEnded)
        assert await alice.agent.wait_idle(1)
        directions = [message.direction for message in alice.trace]
        assert directions[0] == "sent"
        assert "received" in directions
        await alice.agent.aclose()
        await alice.agent.aclose()
        await bob.agent.aclose()

    asyncio.run(run())


def test_nobody_there_is_a_timeout() -> None:
    async def run() -> CallFailed:
        alice = Endpoint()
        await alice.agent.start()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            port = silent.getsockname()[1]
            alice.agent.invite(f"sip:bob@127.0.0.1:{port}", from_="<sip:alice@example.com>", body=b"v=0")
            failed = await alice.wait(CallFailed)
        await alice.agent.aclose()
        assert isinstance(failed, CallFailed)
        return failed

    failed = asyncio.run(run())
    assert (failed.status, failed.cause) == (408, "timeout")


def free_port(host: str) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells who is unreachable")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_closed_port_is_told_at_once_and_harms_no_other_call(host: str) -> None:
    if host == "::1" and not has_ipv6():
        pytest.skip("no IPv6 loopback here")

    async def run() -> None:
        alice, bob = Endpoint(host), Endpoint(host, answers)
        await alice.agent.start()
        await bob.agent.start()
        shown = f"[{host}]" if ":" in host else host
        for _ in range(3):
            alice.agent.invite(
                f"sip:bob@{shown}:{free_port(host)}", from_="<sip:alice@example.com>", body=b"v=0"
            )
        good = alice.agent.invite(bob.uri, from_="<sip:alice@example.com>", body=b"v=0")
        ended = [await alice.wait(CallConfirmed | CallFailed) for _ in range(4)]
        failed = [event for event in ended if isinstance(event, CallFailed)]
        assert [(event.status, event.cause) for event in failed] == [(503, "transport")] * 3
        assert good.state is UsageState.CONFIRMED
        invites = [m for m in alice.trace if m.direction == "sent" and m.data.startswith(b"INVITE")]
        assert len(invites) <= 5, "nothing was sent again"
        await alice.agent.aclose()
        await bob.agent.aclose()

    asyncio.run(run())


@pytest.mark.parametrize("target", ["sip:bob@127.0.0.1:0", "sip:bob@name.invalid", "sip:bob@[::1]:5060"])
def test_what_cannot_be_sent_is_a_transport_failure(target: str) -> None:
    async def run() -> CallFailed:
        alice = Endpoint()
        await alice.agent.start()
        alice.agent.invite(target, from_="<sip:alice@example.com>", body=b"v=0")
        failed = await alice.wait(CallFailed)
        await alice.agent.aclose()
        assert isinstance(failed, CallFailed)
        return failed

    failed = asyncio.run(run())
    assert (failed.status, failed.cause) == (503, "transport")


def test_options_over_loopback() -> None:
    async def run() -> None:
        alice, bob = Endpoint(), Endpoint()
        await alice.agent.start()
        await bob.agent.start()
        alice.agent.options(bob.uri)
        answered = await alice.wait(OptionsAnswered)
        assert isinstance(answered, OptionsAnswered)
        assert answered.response is not None
        assert answered.response.status == 200
        await alice.agent.aclose()
        await bob.agent.aclose()

    asyncio.run(run())


def test_a_handler_that_raises_harms_no_other_call(caplog: pytest.LogCaptureFixture) -> None:
    first = True

    def handler(event: Event) -> None:
        nonlocal first
        if isinstance(event, IncomingCall) and first:
            first = False
            raise RuntimeError("a bug of the application")
        answers(event)

    async def run() -> None:
        alice, bob = Endpoint(), Endpoint(on_event=handler)
        await alice.agent.start()
        await bob.agent.start()
        alice.agent.invite(bob.uri, from_="<sip:alice@example.com>", body=b"v=0")
        good = alice.agent.invite(bob.uri, from_="<sip:alice@example.com>", body=b"v=0")
        confirmed = await alice.wait(CallConfirmed)
        assert isinstance(confirmed, UsageEvent)
        assert confirmed.usage is good
        await alice.agent.aclose()
        await bob.agent.aclose()

    asyncio.run(run())
    assert "a bug of the application" in caplog.text


@pytest.mark.parametrize(
    ("bind", "error", "words"),
    [
        (("192.0.2.77", 0), BadAddress, "192.0.2.77"),
        (("127.0.0.1", 70000), BadAddress, "70000"),
        (("no such host.invalid", 0), BadAddress, "no such host"),
    ],
)
def test_a_bad_address_is_named(bind: HostPort, error: type[Exception], words: str) -> None:
    async def run() -> None:
        await UserAgent(UserAgentConfig(bind=bind), lambda event: None).start()

    with pytest.raises(error, match=words):
        asyncio.run(run())


def test_an_address_in_use_is_named() -> None:
    async def run(port: int) -> None:
        await UserAgent(UserAgentConfig(bind=("127.0.0.1", port)), lambda event: None).start()

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(AddressInUse, match=str(port)):
            asyncio.run(run(port))


def test_not_started_says_so() -> None:
    agent = UserAgent(UserAgentConfig(), lambda event: None)
    with pytest.raises(LocalProtocolError, match="not started"):
        agent.invite("sip:bob@127.0.0.1", from_="<sip:a@b>", body=b"v=0")
    with pytest.raises(LocalProtocolError, match="not started"):
        _ = agent.local_address


@pytest.mark.parametrize(
    ("everywhere", "peer"), [("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("::", "::1")]
)
@pytest.mark.parametrize("caller", [True, False])
def test_listening_everywhere_tells_each_peer_an_address_it_can_reach(
    everywhere: str, peer: str, caller: bool
) -> None:
    if everywhere == "::" and not has_ipv6():
        pytest.skip("no IPv6 here")

    async def run() -> None:
        wide, narrow = Endpoint(everywhere, answers), Endpoint(peer, answers)
        await wide.agent.start()
        await narrow.agent.start()
        port = wide.agent.local_address[1]
        shown = f"[{peer}]" if ":" in peer else peer
        if caller:
            call = wide.agent.invite(narrow.uri, from_="<sip:wide@example.com>", body=b"v=0")
            await wide.wait(CallConfirmed)
            assert call.request.via.sent_by == (peer, port)
            assert str(call.request.contacts[0].uri) == f"sip:wide@{shown}:{port}"
            call.bye()
            await narrow.wait(CallEnded)
        else:
            call = narrow.agent.invite(f"sip:wide@{shown}:{port}", from_="<sip:n@example.com>", body=b"v=0")
            await narrow.wait(CallConfirmed)
            assert str(call.confirmed_dialog.remote_target) == f"sip:wide@{shown}:{port}"
            call.bye()
            await wide.wait(CallEnded)
        await wide.agent.aclose()
        await narrow.agent.aclose()

    asyncio.run(run())
