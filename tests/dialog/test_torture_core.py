"""RFC 4475 and 5118 messages, and the PROTOS set, given to a user agent: what it answers."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from random import Random

from dialog.config import UserAgentConfig
from dialog.core import Core
from dialog.events import IncomingCall
from dialog.flow import Flow, Send
from dialog.message import Response
from dialog.parser import parse_datagram
from dialog.usage.invite import UsageState

FLOW = Flow("UDP", ("192.0.2.2", 5060), ("192.0.2.66", 5066))

# What a user agent that is no registrar answers where the verdict is a registrar's, and what it answers to
# well-formed requests that have no verdict: None where the application has the word, or nothing is due.
AS_USER_AGENT: dict[str, int | None] = {
    "regescrt": 405,
    "unksm2": 405,
    "dblreq": 405,
    "escnull": 405,
    "semiuri": 200,
    "transports": 200,
    "lwsdisp": 200,
    "baddate": None,
    "badaspec": 200,
    "badbranch": 400,
    "esc01": None,
    "inv2543": None,
    "test": None,
    "unreason": None,
    "ipv6-good": 405,
    "port-unambiguous": 405,
    "via-received-param-with-delim": 481,
    "via-received-param-no-delim": 200,
    "ipv6-in-sdp": None,
    "mult-ip-in-sdp": None,
    "ipv4-mapped-ipv6": None,
}


def new_core() -> Core:
    return Core(UserAgentConfig(), Random(1), lambda: 1.0, lambda: None)


def final_status(core: Core, data: bytes, now: float = 1.0) -> int | None:
    """What the core answers at once; None when it drops the message or leaves it to the application."""
    core.receive(FLOW, data, now)
    answers = [parse_datagram(effect.data) for effect in core.take_effects() if isinstance(effect, Send)]
    assert len(answers) <= 1
    for answer in answers:
        assert isinstance(answer, Response)
        return answer.status
    return None


def load(folder: Path) -> dict[str, dict[str, object]]:
    entries = json.loads((folder / "verdicts.json").read_text())
    return {entry["file"].removesuffix(".dat"): entry for entry in entries}


def test_rfc_4475(fixtures: Path) -> None:
    folder = fixtures / "sip" / "rfc4475"
    wrong = {}
    for name, entry in load(folder).items():
        said = final_status(new_core(), (folder / f"{name}.dat").read_bytes())
        expected = entry["expect"]
        if name in AS_USER_AGENT:
            fits = said == AS_USER_AGENT[name]
        elif expected is None or expected == "discard":
            fits = said is None
        elif isinstance(expected, list):
            fits = said in expected
        elif expected == "4xx":
            fits = said is not None and 400 <= said <= 499
        elif expected == "400-or-liberal":
            fits = said == 400 or said is None
        else:
            fits = said == expected
        if not fits:
            wrong[name] = (said, AS_USER_AGENT.get(name, expected))
    assert wrong == {}


def test_rfc_5118(fixtures: Path) -> None:
    folder = fixtures / "sip" / "rfc5118"
    said = {name: final_status(new_core(), (folder / f"{name}.dat").read_bytes()) for name in load(folder)}
    assert said == {name: AS_USER_AGENT[name] for name in said}


GOOD = (
    "INVITE sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.66:5066;branch=z9hG4bKgood{n};rport\r\n"
    "Max-Forwards: 70\r\nFrom: <sip:a@example.com>;tag=1\r\nTo: <sip:bob@192.0.2.2>\r\nCall-ID: good{n}\r\n"
    "CSeq: 1 INVITE\r\nContact: <sip:a@192.0.2.66:5066>\r\nContent-Type: application/sdp\r\n"
    "Content-Length: 3\r\n\r\nv=0"
)

TOKENS = {
    b"<To>": b"bob@192.0.2.2",
    b"<From>": b"alice@192.0.2.66",
    b"<From-Address>": b"192.0.2.66",
    b"<From-IP>": b"192.0.2.66",
    b"<Local-Port>": b"5066",
    b"<Branch-ID>": b"77",
    b"<Call-ID>": b"protos-call",
    b"<CSeq>": b"1",
    b"<Teardown-Method>": b"CANCEL",
}


def cases(content: bytes) -> list[bytes]:
    """The messages of one case; each begins with its length and a space."""
    messages: list[bytes] = []
    while content:
        size, space, rest = content.partition(b" ")
        if not space or not size.strip().isdigit():
            return [*messages, content]
        messages.append(rest[: int(size)])
        content = rest[int(size) :]
    return messages


def test_protos_and_a_good_invite_after_each(fixtures: Path) -> None:
    now = 100.0
    core = Core(UserAgentConfig(), Random(1), lambda: now, lambda: None)
    count = calls = 0
    with tarfile.open(fixtures / "sip" / "protos_c07.tar.xz") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is None:
                continue
            count += 1
            now += 1
            core.handle_timer(now)
            for message in cases(content.read()):
                for token, value in TOKENS.items():
                    message = message.replace(token, value)
                body = message.partition(b"\r\n\r\n")[2]
                message = message.replace(b"<Content-Length>", b"%d" % len(body))
                core.receive(FLOW, message.replace(b"protos-call", b"protos-call-%d" % count), now)
            for event in core.take_events():
                if isinstance(event, IncomingCall):
                    calls += 1
                    if event.usage.state is not UsageState.ENDED:  # the case's own CANCEL may have come
                        event.usage.reject(486)
            core.take_effects()
            core.receive(FLOW, GOOD.format(n=count).encode(), now)
            (event, _) = core.take_events()
            assert isinstance(event, IncomingCall), member.name
            event.usage.reject(486)
            (answer,) = [effect for effect in core.take_effects() if isinstance(effect, Send)]
            assert answer.data.startswith(b"SIP/2.0 486"), member.name
    assert count > 2700
    assert calls > 500, "the cases are INVITEs, and many are good enough to be one"
    core.handle_timer(now + 200)
    assert core.next_deadline() is None
    assert len(core.layer) == 0
    assert core.calls == 0
