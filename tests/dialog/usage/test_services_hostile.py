"""Whatever stands in the header fields of these methods: it is answered, nothing raises, and calls go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dialog.config import UserAgentConfig
from dialog.events import IncomingCall
from dialog.message import Request, Response
from dialog.service_events import IncomingMessage, IncomingRefer, IncomingSubscription

if TYPE_CHECKING:
    from dialog.events import Event
    from tests.dialog.conftest import Party, Stranger, Wire

BOB = ("192.0.2.2", 5060)
NASTY = (
    *("", " ", ";", ",", '"', '"\\', "<", "<>", "<sip:>", "sip:", "*", "0", "-1", "99999999999999999999"),
    *(
        "a;b=c;b=d",
        "a;=;",
        "a;id=",
        "\x00",
        "é\udcff",
        "refer;id=" + "9" * 400,
        "x" * 3000,
        "%",
        "a@b;to-tag",
    ),
    *("<sip:a@b?Replaces=%>", "<sip:a@b?Replaces=a%3Bto-tag%3D1>", "<sip:[::1>", "<tel:1>, <tel:2>", "a\tb"),
)
FIELDS = {
    "REFER": ("Refer-To", "Referred-By", "Refer-Sub", "Target-Dialog", "Event", "Contact", "Record-Route"),
    "SUBSCRIBE": ("Event", "Expires", "Accept", "Contact", "Record-Route", "Supported"),
    "NOTIFY": ("Event", "Subscription-State", "Contact", "Content-Type"),
    "MESSAGE": ("Content-Type", "Content-Encoding", "Expires", "Contact"),
    "INVITE": ("Replaces", "Join", "Referred-By", "Require"),
    "PUBLISH": ("Event", "SIP-If-Match"),
}
GOOD = {
    "REFER": "Refer-To: <sip:carol@192.0.2.3>",
    "SUBSCRIBE": "Event: presence",
    "NOTIFY": "Event: presence",
}


def obey(party: Party) -> None:
    """An application that takes all it is asked for, but calls."""

    def take(event: Event) -> None:
        if isinstance(event, IncomingRefer | IncomingMessage | IncomingSubscription):
            event.source.accept()
            if isinstance(event, IncomingRefer):
                event.source.progress(180, "Ringing")
                event.source.finish(200, "OK")
        elif isinstance(event, IncomingCall):
            event.usage.reject(486)

    party.on_event = take


@pytest.mark.parametrize("method", sorted(FIELDS))
def test_nasty_fields(wire: Wire, method: str) -> None:
    bob = wire.party(BOB, UserAgentConfig(bind=BOB, allow_events=("presence", "refer")))
    obey(bob)
    stranger: Stranger = wire.stranger(("192.0.2.66", 5066), bob)
    count = 0
    for field in FIELDS[method]:
        for value in NASTY:
            count += 1
            lines = [f"{field}: {value}"]
            if method in GOOD and not GOOD[method].startswith(field):
                lines.append(GOOD[method])
            names = {
                "branch": f"z9hG4bK{count}",
                "call_id": f"c{count}",
                "from_": f"<sip:s@x.example>;tag={count}",
            }
            text = stranger.request(method, *lines, **names)
            answers = stranger.say(text.encode("utf-8", "surrogateescape"))
            assert any(isinstance(m, Response) for m in answers) or method == "INVITE", (field, value)
    wire.run(400)
    assert len(bob.core.layer) == 0
    assert bob.core.services.notifiers == 0
    options = stranger.request("OPTIONS", branch="z9hG4bKlast", call_id="last")
    assert [m.status for m in stranger.say(options) if isinstance(m, Response)] == [200]


@pytest.mark.parametrize("method", ["SUBSCRIBE", "REFER", "PUBLISH"])
def test_nasty_answers(wire: Wire, method: str) -> None:
    here, there = ("192.0.2.1", 5060), ("192.0.2.9", 5060)
    alice = wire.party(here)
    services = alice.core.services
    box = wire.stranger(there, alice)
    for status in (200, 202, 412, 423, 489, 503):
        for name in ("Expires", "Min-Expires", "Retry-After", "SIP-ETag", "Refer-Sub", "Contact"):
            for value in NASTY:
                if method == "SUBSCRIBE":
                    services.subscribe("sip:b@192.0.2.9", "presence", from_="<sip:a@192.0.2.1>")
                elif method == "REFER":
                    services.refer_outside("sip:b@192.0.2.9", "sip:c@192.0.2.3", from_="<sip:a@192.0.2.1>")
                else:
                    services.publish(
                        "sip:b@192.0.2.9", "presence", "text/plain", b"x", from_="<sip:a@192.0.2.1>"
                    )
                before = len(box.received)
                wire.run(0.02)
                asked = [m for m in box.received[before:] if isinstance(m, Request)]
                head = bytes(Response.to_request(asked[-1], status, to_tag="t"))
                text = head[:-2] + f"{name}: {value}\r\n\r\n".encode("utf-8", "surrogateescape")
                wire.inject(there, here, text)
                wire.run(0.02)
    alice.core.services.ask("OPTIONS", "sip:b@192.0.2.9", from_="<sip:a@192.0.2.1>")
    wire.run(4000)
    assert not alice.core.dialogs
