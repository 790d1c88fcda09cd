"""Watching phones: the calls they had, with all that was said, heard and pressed in each."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from weakref import WeakValueDictionary, ref

from media import MediaSession
from media.plan import Address
from sipmedia.call import Call
from sipmedia.events import CallCreated, Dtmf
from sipmedia.simulation.loop import VirtualLoop
from sipmedia.softphone import Softphone
from sipmedia.testing.tape import Tape
from sipmedia.testing.wire import Wire

_TELEPHONE_EVENT = re.compile(r"^a=rtpmap:(\d+) telephone-event/", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Key:
    """A key that was heard; `time` is on the loop's clock."""

    digit: str
    duration_ms: int
    time: float


class CallRecord:
    """One call of a watched phone."""

    def __init__(self, call: Call, witness: Witness) -> None:
        self.call = call
        self.witness = witness
        clock = witness.phone.media.runtime.monotonic
        self.heard = Tape(f"{witness.name}", clock)
        """What came out of the loudspeaker."""
        self.said = Tape(f"{witness.name}", clock)
        """What went into the microphone."""
        self.keys: list[Key] = []
        """The keys that the far end pressed."""
        self.local: Address | None = None
        """Where our RTP is received."""
        self.receives: dict[str, int] = {}
        """The payload types under which codecs are received."""
        self.key_type: int | None = None
        """The payload type under which keys are received (RFC 4733)."""
        self._loop = asyncio.get_running_loop()
        self._sessions: set[str] = set()
        self._listen()
        for event in ("ringing", "progress", "answered", "media"):
            call.on(event, lambda _: self._listen())
        call.on("dtmf", self._on_key)

    @property
    def name(self) -> str:
        """Whose call it is."""
        return self.witness.name

    @property
    def digits(self) -> str:
        """The keys that came, as one string."""
        return "".join(key.digit for key in self.keys)

    @property
    def peer(self) -> CallRecord | None:
        """The same call as its other end saw it, if that is watched, too."""
        for witness in self.witness.world.witnesses:
            for record in witness.records:
                if record is not self and record.call.call_id == self.call.call_id:
                    return record
        return None

    def _listen(self) -> None:
        session = self.call.session
        if session is None or session.session_id in self._sessions:
            return
        self._sessions.add(session.session_id)
        session.add_sink(self.heard)
        session.add_tap(self.said)
        self._note_plan(session)
        session.on("sdp_negotiated", lambda _: self._note_plan(session))

    def _note_plan(self, session: MediaSession) -> None:
        self.local = session.local_address
        key_type = _TELEPHONE_EVENT.search(session.local_sdp or "")
        self.key_type = int(key_type[1]) if key_type is not None else None
        for stream in session.streams:
            if stream.codec is not None:
                self.receives[stream.codec] = stream.payload_type

    def _on_key(self, event: Dtmf) -> None:
        self.keys.append(Key(event.digit, event.duration_ms, self._loop.time()))


class Witness:
    """Remembers the calls of one phone from now on."""

    def __init__(self, phone: Softphone, name: str, world: World) -> None:
        self.phone = phone
        self.name = name
        self.world = world
        self.records: list[CallRecord] = []
        phone.on("call_created", self._on_call)

    def _on_call(self, event: CallCreated) -> None:
        record = CallRecord(event.call, self)
        self.records.append(record)
        _RECORDS[id(event.call)] = record


class World:
    """All that is watched on one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = ref(loop)
        self.witnesses: list[Witness] = []
        self.wire: Wire | None = None
        """What goes over a simulated network, `None` on a real one."""
        if isinstance(loop, VirtualLoop):
            self.wire = Wire()
            loop.network.capture.on_received = self.wire


# By identity, so that nothing is kept alive: a phone's listeners hold its witness, and that the rest.
_WORLDS: WeakValueDictionary[int, World] = WeakValueDictionary()
_RECORDS: WeakValueDictionary[int, CallRecord] = WeakValueDictionary()


def world_of(loop: asyncio.AbstractEventLoop) -> World:
    """What is watched on that loop."""
    world = _WORLDS.get(id(loop))
    if world is None or world.loop() is not loop:
        world = _WORLDS[id(loop)] = World(loop)
    return world


def watch(phone: Softphone, name: str | None = None) -> Witness:
    """Record the calls of a phone from now on, for the assertions; called once on the running loop.

    `name` says in messages whose sound it is; by default the user of the phone's first account.
    """
    world = world_of(asyncio.get_running_loop())
    witness = Witness(phone, name or phone.accounts[0].user or "the phone", world)
    world.witnesses.append(witness)
    return witness


def record_of(call: Call) -> CallRecord:
    """What was recorded of a call. :raises LookupError: when its phone is not watched."""
    record = _RECORDS.get(id(call))
    if record is None or record.call is not call:
        raise LookupError(
            f"{call!r} is not recorded: use the fixture `phones`, or watch(phone) before the call is made"
        )
    return record
