"""The call of ``sipmedia demo``: alice calls bob here, and it is proven that each heard the other."""

from __future__ import annotations

import asyncio
import json
import random
import time
import wave
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dialog.uri import SipUri
from media import ManagerConfig, PortRange, SessionStatistics
from media.audio.graph import SampleSource
from media.audio.synthesis import demo_clip
from media.frame import AudioFrame
from sipmedia.account import Account
from sipmedia.call import Call
from sipmedia.cli.output import plain
from sipmedia.config import format_address, parse_bind
from sipmedia.events import Dtmf, IncomingCall
from sipmedia.hearing import THRESHOLD
from sipmedia.softphone import Softphone
from sipmedia.testing.likeness import likeness
from sipmedia.testing.tape import Sound
from sipmedia.trace import CallTrace, render_svg, render_text

ALICE_KEYS = "42#"
BOB_KEYS = "7"
RINGING_S = 1.0
_PORTS = PortRange(10000, 10100)

Step = Callable[[str, str], None]
"""Hears of each step: a stable name for it (:data:`STEPS`), and a sentence in English."""

STEPS = (
    "listening", "calling", "ringing", "answered", "talking", "first_sound", "keys", "key_heard",
    "hanging_up", "ended", "checking",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Heard:
    """Whether one party heard the other. ``delay_ms``: from mouth to ear, ``None`` when it was not heard."""

    listener: str
    speaker: str
    score: float
    delay_ms: float | None

    @property
    def good(self) -> bool:
        """Whether it was the speaker's clip that was heard."""
        return self.score >= THRESHOLD


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What happened: ``failures`` is empty when all went as it should."""

    folder: Path
    codec: str | None
    trace: CallTrace
    statistics: dict[str, SessionStatistics]
    heard: tuple[Heard, ...]
    keys: dict[str, str]
    """The keys that each party heard the other press."""
    files: tuple[Path, ...]
    failures: tuple[str, ...]


@dataclass(slots=True)
class _Party:
    """One of the two: what it says, and when; what it hears, and from when."""

    name: str
    clip: NDArray[np.int16] = field(default_factory=lambda: np.zeros(0, np.int16))
    call: Call | None = None
    spoke_at: float | None = None
    listened_at: float | None = None
    heard: list[NDArray[np.int16]] = field(default_factory=list)
    keys: str = ""


class _Mouth(SampleSource):
    """A clip that notes when its first packet was made."""

    def __init__(self, party: _Party, rate: int) -> None:
        super().__init__(party.clip, rate)
        self._party = party

    def pull(self, n: int) -> AudioFrame | None:
        if self._party.spoke_at is None:
            self._party.spoke_at = time.monotonic()
        return super().pull(n)


class _Ear:
    """Keeps what is heard, and notes when that began; the recording may have begun before."""

    def __init__(self, party: _Party) -> None:
        self._party = party

    def push(self, frame: AudioFrame) -> None:
        if self._party.listened_at is None:
            self._party.listened_at = time.monotonic()
        self._party.heard.append(frame.samples)


async def run_demo(
    folder: Path,
    *,
    alice_bind: str = "127.0.0.1:5060",
    bob_bind: str = "127.0.0.1:5062",
    ports: PortRange = _PORTS,
    codecs: tuple[str, ...] = (),
    seed: int = 1,
    on_step: Step | None = None,
) -> DemoReport:
    """Place the call, save recordings, ladder and statistics into ``folder`` (made if need be), check them.

    Takes about seven seconds. Raises :class:`sipmedia.AddressInUse` (naming which port, and what to change),
    :class:`sipmedia.CallFailed`, :class:`media.MediaError` and OSError for the folder.
    """
    tell = on_step or (lambda name, sentence: None)
    alice, bob = _Party("alice"), _Party("bob")
    settings = ManagerConfig(rtp_port_range=ports)
    if codecs:
        settings = ManagerConfig(rtp_port_range=ports, default_audio_codecs=codecs)
    async with (
        Softphone(_account("alice", alice_bind), bind=alice_bind, media=settings) as alices,
        Softphone(_account("bob", bob_bind), bind=bob_bind, media=settings) as bobs,
    ):
        folder.mkdir(parents=True, exist_ok=True)
        tell("listening", f"alice's phone is at {_at(alices)}, bob's at {_at(bobs)}")
        await _converse(alices, bobs, alice, bob, folder, tell, seed)
    tell("checking", "comparing what was said with what was heard")
    return _report(folder, alice, bob)


async def _converse(
    alices: Softphone, bobs: Softphone, alice: _Party, bob: _Party, folder: Path, tell: Step, seed: int
) -> None:
    """The call itself, until both have heard of its end."""
    incoming: asyncio.Future[Call] = asyncio.get_running_loop().create_future()

    async def on_call(event: IncomingCall) -> None:
        await asyncio.sleep(RINGING_S)
        await event.call.answer()
        incoming.set_result(event.call)

    bobs.on("incoming_call", on_call)
    target = f"sip:bob@{_at(bobs)}"
    tell("calling", f"alice calls {target}")
    call = alice.call = alices.dial(target)
    call.on("ringing", lambda _: tell("ringing", "bob's phone rings"))
    call.on("media", lambda _: tell("first_sound", "alice hears the first sound from bob"))
    await call.answered()
    bob.call = await asyncio.wait_for(incoming, 5)
    tell("answered", f"bob answers; they talk with {call.codec}")
    rate = call.rate
    call.record(folder / "call.wav", layout="stereo")
    alice.clip = demo_clip(rate, random.Random(seed), voice="low")
    bob.clip = demo_clip(rate, random.Random(seed + 1), voice="high")
    for party in (alice, bob):
        _listen(party, folder, tell)
    seconds = max(len(alice.clip), len(bob.clip)) / rate
    tell("talking", f"both talk at once for {seconds:.1f} s: each a tune, then speech-like sound")
    await asyncio.gather(*(_call_of(party).play(_Mouth(party, rate)) for party in (alice, bob)))
    tell("keys", f"alice presses {ALICE_KEYS}, bob presses {BOB_KEYS}")
    await asyncio.gather(call.send_dtmf(ALICE_KEYS), bob.call.send_dtmf(BOB_KEYS))
    await asyncio.sleep(0.2)  # what was sent last is still on its way through the jitter buffer
    tell("hanging_up", "alice hangs up")
    await call.hangup()
    await asyncio.wait_for(bob.call.ended(), 5)
    tell("ended", f"the call is over after {call.duration:.1f} s")


def _listen(party: _Party, folder: Path, tell: Step) -> None:
    """Have what a party hears recorded, and listen for keys."""
    call = _call_of(party)
    assert call.session is not None  # it is answered
    call.session.add_sink(_Ear(party))
    call.record(folder / f"{party.name}-heard.wav")

    def on_key(event: Dtmf) -> None:
        party.keys += event.digit
        tell("key_heard", f"{party.name} hears the key {event.digit}")

    call.on("dtmf", on_key)


def _report(folder: Path, alice: _Party, bob: _Party) -> DemoReport:
    """Read the recordings, compare, and save what there is to save."""
    call = _call_of(alice)
    heard = (_compare(folder, alice, bob), _compare(folder, bob, alice))
    keys = {"alice": alice.keys, "bob": bob.keys}
    failures = [
        f"{each.listener} did not hear {each.speaker}: correlation {each.score:.2f}, needed {THRESHOLD}"
        for each in heard
        if not each.good
    ]
    for listener, expected in (("alice", BOB_KEYS), ("bob", ALICE_KEYS)):
        if keys[listener] != expected:
            failures.append(f"{listener} heard the keys {keys[listener]!r}, pressed were {expected!r}")
    statistics = {
        party.name: counted for party in (alice, bob) if (counted := _call_of(party).statistics()) is not None
    }
    (folder / "ladder.svg").write_text(render_svg(call.trace, "alice calls bob"), encoding="utf-8")
    (folder / "ladder.txt").write_text(render_text(call.trace), encoding="utf-8")
    figures = {
        "ok": not failures,
        "failures": failures,
        "codec": call.codec,
        "duration": call.duration,
        "heard": heard,
        "keys": keys,
        "statistics": statistics,
    }
    text = json.dumps(plain(figures), indent=2, ensure_ascii=False)
    (folder / "stats.json").write_text(text + "\n", encoding="utf-8")
    files = tuple(folder / name for name in _FILES)
    return DemoReport(folder, call.codec, call.trace, statistics, heard, keys, files, tuple(failures))


_FILES = ("alice-heard.wav", "bob-heard.wav", "call.wav", "ladder.svg", "ladder.txt", "stats.json")


def _compare(folder: Path, listener: _Party, speaker: _Party) -> Heard:
    samples, rate = read_wav(folder / f"{listener.name}-heard.wav")
    match = likeness(Sound(speaker.clip, rate), Sound(samples, rate))
    delay_ms = None
    if match.score >= THRESHOLD and listener.listened_at is not None and speaker.spoke_at is not None:
        live = likeness(Sound(speaker.clip, rate), Sound(np.concatenate(listener.heard), rate))
        delay_ms = (listener.listened_at + live.offset - speaker.spoke_at) * 1000
    return Heard(listener.name, speaker.name, match.score, delay_ms)


def read_wav(path: Path) -> tuple[NDArray[np.int16], int]:
    """The samples of a mono 16-bit WAV file and their rate."""
    with wave.open(str(path), "rb") as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16), file.getframerate()


def _call_of(party: _Party) -> Call:
    assert party.call is not None  # both have answered
    return party.call


def _account(name: str, bind: str) -> Account:
    return Account(str(SipUri(name, parse_bind(bind)[0])))


def _at(phone: Softphone) -> str:
    return format_address(*phone.address)
