"""Connections through the core: framing, keep-alives, and what nobody may do with them."""

from __future__ import annotations

from random import Random

import pytest

from dialog.config import UserAgentConfig
from dialog.core import Core
from dialog.dns import Answer
from dialog.events import CallFailed, IncomingCall
from dialog.flow import Close, Effect, Flow, Open, Resolve, Send, Target
from dialog.uri import parse_uri

HERE = ("192.0.2.1", 5060)


class Endpoint:
    """A core and the effects it asked for."""

    def __init__(self, **settings: float) -> None:
        self.config = UserAgentConfig(bind=HERE)
        for name, value in settings.items():
            object.__setattr__(self.config, name, value)
        self.now = 1000.0
        self.core = Core(self.config, Random(1), lambda: self.now, lambda: None)
        self.count = 0

    def accept(self, host: str = "192.0.2.2", port: int = 50000) -> Flow:
        self.count += 1
        flow = Flow("TCP", HERE, (host, port + self.count), self.count)
        self.core.flow_accepted(flow, self.now)
        return flow

    def receive(self, flow: Flow, data: bytes) -> list[Effect]:
        self.core.receive(flow, data, self.now)
        return self.core.take_effects()

    def wait(self, seconds: float) -> list[Effect]:
        end = self.now + seconds
        while (deadline := self.core.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.core.handle_timer(self.now)
        self.now = end
        return self.core.take_effects()


def request(method: str = "OPTIONS", branch: str = "1", body: str = "", *more: str) -> bytes:
    lines = [
        f"{method} sip:us@192.0.2.1 SIP/2.0",
        f"Via: SIP/2.0/TCP 192.0.2.2:5060;branch=z9hG4bK{branch}",
        "From: <sip:them@192.0.2.2>;tag=t",
        "To: <sip:us@192.0.2.1>",
        f"Call-ID: {branch}",
        f"CSeq: 1 {method}",
        "Max-Forwards: 70",
        *more,
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", body]).encode()


def statuses(effects: list[Effect]) -> list[int]:
    return [int(effect.data.split()[1]) for effect in effects if isinstance(effect, Send)]


def closed(effects: list[Effect]) -> list[Flow]:
    return [effect.flow for effect in effects if isinstance(effect, Close)]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_messages_in_pieces_are_answered_on_their_connection(size: int) -> None:
    end = Endpoint()
    flow = end.accept()
    data = request(branch="a") + b"\r\n" + request("BYE", "b", "v=0\r\n")
    effects: list[Effect] = []
    for start in range(0, len(data), size):
        effects += end.receive(flow, data[start : start + size])
    assert statuses(effects) == [200, 481]
    assert {effect.flow for effect in effects if isinstance(effect, Send)} == {flow}


def test_two_connections_of_one_peer_are_apart() -> None:
    end = Endpoint()
    one, two = end.accept(), end.accept()
    half = len(request()) // 2
    assert end.receive(one, request(branch="a")[:half]) == []
    assert statuses(end.receive(two, request(branch="b"))) == [200]
    assert statuses(end.receive(one, request(branch="a")[half:])) == [200]


def test_a_ping_is_answered_and_nothing_else_is() -> None:
    end = Endpoint()
    flow = end.accept()
    assert end.receive(flow, b"\r\n\r\n") == [Send(flow, b"\r\n")]
    assert end.receive(flow, b"\r\n") == []
    assert end.receive(flow, b"\r\n") == [Send(flow, b"\r\n")]
    assert end.receive(flow, b"\r\n\r\n\r\n\r\n") == [Send(flow, b"\r\n\r\n")]
    effects = end.receive(flow, b"\r\n\r\n" + request())
    assert effects[0] == Send(flow, b"\r\n") or effects[-1] == Send(flow, b"\r\n")


def test_a_head_without_end_is_refused_and_the_connection_closed() -> None:
    end = Endpoint(max_message_bytes=2000)
    flow = end.accept()
    effects = end.receive(flow, request()[:-4] + b"X-Long: " + b"x" * 3000)
    assert statuses(effects) == [513]
    assert closed(effects) == [flow]
    assert end.receive(flow, request(branch="later")) == []


def test_what_is_no_sip_closes_the_connection() -> None:
    end = Endpoint()
    flow = end.accept()
    effects = end.receive(flow, b"GET / HTTP/1.1\r\nHost: us\r\n\r\n")
    assert closed(effects) == [flow]
    assert end.core.dropped == 1


def test_silence_and_slow_senders_are_closed() -> None:
    end = Endpoint()
    silent, slow, good = end.accept(), end.accept(), end.accept()
    end.receive(good, request())
    closings: list[Flow] = []
    for byte in range(40):
        end.receive(slow, request(branch="slow")[byte : byte + 1])
        closings += closed(end.wait(1))
    assert closings == [silent, slow]
    assert statuses(end.receive(good, request(branch="2"))) == [200]
    assert closed(end.wait(1900)) == [good]
    assert end.core.next_deadline() is None


def test_a_slow_second_message_is_closed_too() -> None:
    end = Endpoint()
    flow = end.accept()
    end.receive(flow, request())
    end.wait(600)
    end.receive(flow, b"OPTIONS")
    assert closed(end.wait(31)) == []
    assert closed(end.wait(2)) == [flow]


def test_a_flood_of_connections_costs_those_that_say_nothing() -> None:
    end = Endpoint(max_connections=10)
    good = end.accept()
    end.receive(good, request())
    for _ in range(1000):
        end.accept()
    closings = closed(end.core.take_effects())
    assert good not in closings
    assert len(closings) == 991
    assert len(end.core.connections) == 10
    assert statuses(end.receive(good, request(branch="2"))) == [200]


def test_connections_in_use_are_not_given_up_for_others() -> None:
    end = Endpoint(max_connections=2)
    for branch in ("a", "b"):
        end.receive(end.accept(), request("INVITE", branch, "", "Contact: <sip:them@192.0.2.2>"))
    late = end.accept()
    assert closed(end.core.take_effects()) == [late]


def test_bytes_of_incomplete_messages_are_bounded_together() -> None:
    end = Endpoint(max_buffered_bytes=100_000)
    flows = [end.accept() for _ in range(20)]
    effects: list[Effect] = []
    for flow in flows:
        end.now += 0.01
        effects += end.receive(flow, b"INVITE sip:a@b SIP/2.0\r\nX: " + b"x" * 10_000)
    assert closed(effects) == flows[:11]


def test_a_lost_connection_is_told_to_its_calls() -> None:
    end = Endpoint()
    flow = end.accept()
    end.receive(flow, request("INVITE", "a", "", "Contact: <sip:them@192.0.2.2>"))
    end.core.flow_lost(flow, end.now, "reset by peer")
    end.core.take_effects()
    assert end.receive(flow, request(branch="b")) == []
    assert flow not in end.core.connections


def opened(effects: list[Effect]) -> list[Target]:
    return [effect.target for effect in effects if isinstance(effect, Open)]


INVITE = request("INVITE", "a", "", "Contact: <sip:them@192.0.2.2>")


def test_a_caller_whose_connection_broke_is_called_back_for_the_response() -> None:
    end = Endpoint()
    flow = end.accept()
    end.receive(flow, INVITE)
    (incoming,) = [event for event in end.core.take_events() if isinstance(event, IncomingCall)]
    end.core.flow_lost(flow, end.now, "reset by peer")
    (target,) = opened(end.core.take_effects())
    assert target == Target("TCP", ("192.0.2.2", 5060))  # the sent-by port, not the one it came from
    again = Flow("TCP", HERE, target.address, 99)
    end.core.flow_opened(target, again, end.now)
    incoming.usage.reject(486)
    (answer,) = [effect for effect in end.core.take_effects() if isinstance(effect, Send)]
    assert answer.flow == again
    assert answer.data.startswith(b"SIP/2.0 486")


def test_a_caller_that_cannot_be_reached_any_more_is_a_failed_call() -> None:
    end = Endpoint()
    flow = end.accept()
    end.receive(flow, INVITE)
    end.core.take_events()
    end.core.flow_lost(flow, end.now, "reset by peer")
    (target,) = opened(end.core.take_effects())
    end.core.flow_refused(target, end.now, "connection refused")
    (failed,) = [event for event in end.core.take_events() if isinstance(event, CallFailed)]
    assert failed.cause == "transport"
    assert end.core.calls == 0


def test_a_request_that_comes_again_on_another_connection_is_answered_there() -> None:
    end = Endpoint()
    one = end.accept()
    assert statuses(end.receive(one, request())) == [200]
    end.core.flow_lost(one, end.now, "reset by peer")
    assert opened(end.core.take_effects()) == []  # nobody waits for anything
    two = end.accept()
    (answer,) = end.receive(two, request())
    assert isinstance(answer, Send)
    assert answer.flow == two


def test_a_peer_is_reached_by_the_connection_it_made_at_its_very_address() -> None:
    end = Endpoint()
    flow = end.accept()
    host, port = flow.remote
    end.core.options(f"sip:{host}:{port};transport=tcp", from_="<sip:us@192.0.2.1>")
    (sent,) = end.core.take_effects()
    assert isinstance(sent, Send)
    assert sent.flow == flow
    end.core.flow_lost(flow, end.now, "reset by peer")
    assert opened(end.core.take_effects()) == [Target("TCP", flow.remote)]


@pytest.mark.parametrize("names", [frozenset({"proxy.example.com"}), frozenset({"other.example.com"})])
def test_an_alias_is_believed_where_a_certificate_shows_the_name(names: frozenset[str]) -> None:
    end = Endpoint()
    flow = Flow("TLS", HERE, ("192.0.2.9", 40000), 7)
    end.core.flow_accepted(flow, end.now, names)
    via = request().replace(b"TCP 192.0.2.2:5060;", b"TLS proxy.example.com;alias;")
    assert statuses(end.receive(flow, via)) == [200]
    found: list[Flow | None] = []
    end.core.locator.way(parse_uri("sip:them@proxy.example.com:5061;transport=tls")).next(found.append)
    (query,) = [effect.query for effect in end.core.take_effects() if isinstance(effect, Resolve)]
    end.core.resolved(query, Answer(("192.0.2.9",)), end.now)
    believed = "proxy.example.com" in names
    assert found == ([flow] if believed else [])
    assert len(opened(end.core.take_effects())) == (not believed)
    end.core.flow_lost(flow, end.now, "reset by peer")
    assert end.core.locator.flow_to(Target("TLS", ("192.0.2.9", 5061), "proxy.example.com")) is None
