"""Assertions about a call: sound both ways, delay, quality, keys, messages, and what it left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sipmedia.call import Call
from sipmedia.config import format_address
from sipmedia.simulation.loop import VirtualLoop
from sipmedia.softphone import Softphone
from sipmedia.testing.analysis import loud_spans
from sipmedia.testing.diagnosis import audio_of, conditions, culprit, why_no_keys
from sipmedia.testing.hearing import record_of_ear
from sipmedia.testing.likeness import likeness
from sipmedia.testing.party import Party
from sipmedia.testing.tape import Sound
from sipmedia.testing.witness import CallRecord
from sipmedia.trace import TraceEntry

Side = Call | Party | CallRecord
"""One end of a call: the call, its record, or a party (its latest call)."""

_LONGEST_COMPARED_S = 60.0


def assert_two_way_audio(one: Side, other: Side, *, since: float = 0.0) -> None:
    """Both ends hear something; else it says who does not, and why."""
    __tracebackhide__ = True
    sides = record_of_ear(one), record_of_ear(other)
    deaf = [side for side in sides if not _hears(side, since)]
    if not deaf:
        return
    if len(deaf) == 2:
        head = f"no audio: neither {sides[0].name} nor {sides[1].name} heard anything"
    else:
        hearing = sides[1] if deaf[0] is sides[0] else sides[0]
        head = f"one-way audio: {hearing.name} hears {deaf[0].name}, but {deaf[0].name} heard nothing"
    raise AssertionError(head + "".join(_reception(side) for side in deaf))


def assert_one_way_audio(speaker: Side, listener: Side, *, since: float = 0.0) -> None:
    """The listener hears the speaker, and the speaker hears nothing (a call on hold, an announcement)."""
    __tracebackhide__ = True
    speaking, listening = record_of_ear(speaker), record_of_ear(listener)
    if not _hears(listening, since):
        raise AssertionError(f"{listening.name} heard nothing of {speaking.name}{_reception(listening)}")
    if _hears(speaking, since):
        raise AssertionError(
            f"audio should go one way, from {speaking.name} to {listening.name}, but {speaking.name} heard "
            "something, too"
        )


def assert_mouth_to_ear(listener: Side, at_most: float, *, since: float = 0.0) -> float:
    """Sound takes at most so many seconds to this listener; gives what it takes, by correlation.

    It is measured from where frames are taken from the speaker's program to where they are given to the
    listener's: a microphone and a loudspeaker come on top. Both ends must be watched. Take speech: a steady
    tone is the same everywhere, and its delay anything.
    """
    __tracebackhide__ = True
    record = record_of_ear(listener)
    peer = record.peer
    if peer is None:
        raise LookupError(
            f"the far end of {record.name}'s call is not watched, so there is no mouth to measure from"
        )
    said, heard = peer.said.sound(), record.heard.sound()
    clip = Sound(said.between(since, since + _LONGEST_COMPARED_S), said.rate)
    found = likeness(clip, heard)
    if not found.share or said.began is None or heard.began is None:
        raise AssertionError(f"{record.name} heard nothing of what {peer.name} said{_reception(record)}")
    delay = heard.began + found.offset + max(0.0, found.drift) - said.began - since
    if delay > at_most + 1e-9:
        raise AssertionError(
            f"from {peer.name}'s mouth to {record.name}'s ear it takes {delay * 1000:.0f} ms; at most "
            f"{at_most * 1000:.0f} ms was allowed{_reception(record)}"
        )
    return delay


def assert_mos(listener: Side, at_least: float) -> float:
    """The opinion score this listener would give (E-model, 1 to 4.5), for the call so far or as a whole."""
    __tracebackhide__ = True
    record = record_of_ear(listener)
    audio = audio_of(record)
    if audio is None or audio.mos is None:
        raise AssertionError(f"there is no opinion of {record.name}'s to ask for{_reception(record)}")
    if audio.mos < at_least:
        raise AssertionError(
            f"{record.name} would give {audio.mos:.2f} (MOS); at least {at_least:g} was expected"
            f"{_reception(record)}"
        )
    return audio.mos


def assert_dtmf(listener: Side, digits: str) -> None:
    """The keys that this end heard from the far end, all of them, in order."""
    __tracebackhide__ = True
    record = record_of_ear(listener)
    if record.digits == digits:
        return
    heard = f"the keys {record.digits!r}" if record.digits else "no key"
    raise AssertionError(f"{record.name} heard {heard}, expected {digits!r}{why_no_keys(digits, record)}")


def assert_ladder(side: Side, *labels: str) -> list[TraceEntry]:
    """These rungs in this order in the call's ladder, others between them allowed.

    A label is how a rung begins: "INVITE", "200", "first sound heard". What was sent again does not count.
    """
    __tracebackhide__ = True
    record = record_of_ear(side)
    entries = record.call.trace.entries()
    rungs = [entry for entry in entries if not entry.retransmission]
    found: list[TraceEntry] = []
    position = 0
    for label in labels:
        hit = next((n for n in range(position, len(rungs)) if rungs[n].label.startswith(label)), None)
        if hit is None:
            raise AssertionError(_missing(record, label, found, entries))
        found.append(rungs[hit])
        position = hit + 1
    return found


async def assert_no_leaks(*phones: Softphone, within: float = 1.0) -> None:
    """The calls of these phones are over and nothing is left of them: sessions, RTP ports, tasks.

    What is still closing has `within` seconds for it.
    """
    __tracebackhide__ = True
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while (left := _leaks(phones, loop)) and loop.time() < deadline:
        await asyncio.sleep(0.02)
    if left:
        raise AssertionError("left behind:\n" + "\n".join(f"  {what}" for what in left))


def _leaks(phones: Sequence[Softphone], loop: asyncio.AbstractEventLoop) -> list[str]:
    left = [f"{_name(phone)} still has {call!r}" for phone in phones for call in phone.calls]
    for phone in phones:
        name = _name(phone)
        sessions = [phone.media.get_session(session_id) for session_id in phone.media.list_sessions()]
        left += [
            f"media session {session.session_id[:8]} of {name} ({session.state.value}), "
            f"RTP on {format_address(*session.local_address)}"
            for session in sessions
            if session is not None and session.local_address is not None
        ]
        left += [f"task {task.get_name()!r} of {name}: {task.get_coro()!r}" for task in phone.tasks]
    if isinstance(loop, VirtualLoop):
        addresses = [phone.address for phone in phones]
        expected = {f"{kind} {host}:{port} " for kind in ("UDP", "TCP") for host, port in addresses}
        hosts = {host for host, _ in addresses}
        left += [
            f"socket {text}"
            for text in loop.network.open_sockets()
            if text.split()[1].rpartition(":")[0] in hosts and not any(text.startswith(e) for e in expected)
        ]
    return left


def _name(phone: Softphone) -> str:
    return phone.accounts[0].user or "the phone"


def _hears(record: CallRecord, since: float) -> bool:
    sound = record.heard.sound()
    return bool(loud_spans(Sound(sound.between(since), sound.rate)))


def _reception(record: CallRecord) -> str:
    cause = culprit(record)
    return f"\n  {conditions(record)}" + (f"\ncause: {cause}" if cause else "")


def _missing(record: CallRecord, label: str, found: list[TraceEntry], entries: list[TraceEntry]) -> str:
    after = f" after {found[-1].label!r} at {found[-1].time:.3f} s" if found else ""
    shown = ", ".join(entry.label for entry in entries if not entry.retransmission) or "nothing"
    again = sum(entry.retransmission and bool(found) and entry.label == found[-1].label for entry in entries)
    lines = [f"{record.name}'s ladder has no {label!r}{after}", f"  it has: {shown}"]
    if again:
        lines.append(f"  {found[-1].label!r} was sent again {again} times, as if nobody had answered it")
    cause = _where_is(record, label, [entry.label for entry in found])
    return "\n".join([*lines, f"cause: {cause}"])


def _where_is(record: CallRecord, label: str, before: list[str]) -> str:
    """Whether the missing message was ever sent, as the other end's ladder has it."""
    peer = record.peer
    theirs = peer.call.trace.entries() if peer is not None else []
    sent = [entry for entry in theirs if entry.source == 0 and entry.label.startswith(label)]
    known = sum(name.startswith(label) for name in before)
    if peer is not None and len(sent) > known:
        return f"{peer.name} sent {label!r} at {sent[known].time:.3f} s, and it was lost on the way"
    if label == "ACK":
        return f"{_caller(record)} never sent an ACK for the answer (RFC 3261 section 13.2.2.4)"
    return f"{label!r} was never sent by {record.name}" + (f" or {peer.name}" if peer is not None else "")


def _caller(record: CallRecord) -> str:
    if not record.call.incoming:
        return record.name
    return record.peer.name if record.peer is not None else "the caller"
