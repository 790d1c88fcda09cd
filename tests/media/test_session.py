"""media/session.py and session_audio.py: a session from offer to close, in a virtual world."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest

from media import (
    AudioFrame,
    BadAddress,
    BadAnswer,
    BadAudio,
    BadSdp,
    BufferFull,
    InvalidState,
    ManagerConfig,
    MediaDirection,
    MediaManager,
    MediaSession,
    NoCommonCodec,
    PortRange,
    SessionConstraints,
    SessionState,
    UnknownCodec,
    Unsupported,
)
from media.audio.graph import Echo
from media.events import SESSION_EVENTS
from media.frame import Samples
from tests.media.virtual import VirtualRuntime

HELD = SessionConstraints(audio_direction=MediaDirection.SENDONLY)
INACTIVE = SessionConstraints(audio_direction=MediaDirection.INACTIVE)


class World:
    """A manager in a virtual world, whose events are noted."""

    def __init__(self, **settings: Any) -> None:
        self.runtime = VirtualRuntime()
        settings.setdefault("rtp_port_range", PortRange(10000, 10099))
        self.manager = MediaManager(ManagerConfig(**settings), self.runtime)
        self.events: list[tuple[str, str]] = []
        self.manager.start()
        for name in SESSION_EVENTS:
            if name not in ("media_received", "statistics"):
                self.manager.on(name, self._noting(name))

    def _noting(self, name: str) -> Callable[[Any], None]:
        def note(event: Any) -> None:
            detail = getattr(event, "what", getattr(event, "digit", ""))
            self.events.append((event.session_id, f"{name} {detail}".strip()))

        return note

    def names(self, session: MediaSession) -> list[str]:
        return [name for session_id, name in self.events if session_id == session.session_id]

    async def run(self, seconds: float) -> None:
        self.runtime.run(seconds)
        await asyncio.sleep(0)

    def pair(
        self, offer: SessionConstraints | None = None, answer: SessionConstraints | None = None
    ) -> tuple[MediaSession, MediaSession]:
        """Two sessions that agreed."""
        caller, sdp = self.manager.create_offer(offer)
        callee = self.manager.create_session_from_sdp(sdp)
        caller.set_remote_answer(callee.create_answer(answer))
        return caller, callee


def reoffer(
    offerer: MediaSession, answerer: MediaSession, constraints: SessionConstraints | None = None
) -> None:
    answerer.set_remote_offer(offerer.create_offer(constraints))
    offerer.set_remote_answer(answerer.create_answer())


def virtual(scenario: Callable[[World], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Make a test of a coroutine: inside an event loop, with a fresh world."""

    def test() -> None:
        async def main() -> None:
            world = World()
            await scenario(world)
            world.manager.stop()
            assert not world.runtime.sockets

        asyncio.run(main())

    test.__doc__ = scenario.__doc__
    return test


def states(*sessions: MediaSession) -> set[SessionState]:
    return {session.state for session in sessions}


def tone(samples: int = 8000) -> Samples:
    wave: Samples = (8000 * np.sin(np.arange(samples) * 0.3)).astype(np.int16)
    return wave


@virtual
async def test_from_offer_to_close(world: World) -> None:
    caller, offer = world.manager.create_offer()
    assert states(caller) == {SessionState.NEGOTIATING}
    assert caller.local_sdp == offer
    assert caller.remote_sdp is None
    assert caller.local_address == ("127.0.0.1", 10000)
    assert caller.codec is None
    assert caller.direction is MediaDirection.INACTIVE
    assert caller.streams == ()
    callee = world.manager.create_session_from_sdp(offer.encode())
    assert states(callee) == {SessionState.NEGOTIATING}
    assert callee.local_address is None
    answer = callee.create_answer()
    assert states(callee) == {SessionState.ACTIVE}
    caller.set_remote_answer(answer)
    assert states(caller) == {SessionState.ACTIVE}
    assert caller.remote_sdp == answer
    assert caller.remote_address == callee.local_address == ("127.0.0.1", 10002)
    assert (caller.codec, caller.rate) == ("PCMU", 8000)
    (stream,) = caller.streams
    assert (stream.kind, stream.codec, stream.payload_type) == ("audio", "PCMU", 0)
    assert stream.direction is MediaDirection.SENDRECV
    assert world.names(caller) == ["session_created", "sdp_negotiated", "session_updated negotiated"]
    assert world.names(callee) == ["session_created", "sdp_negotiated", "session_updated negotiated"]
    caller.write(tone())
    await world.run(1.5)
    assert callee.statistics().media["audio"].packets_received == 50
    assert "session_updated first_media" in world.names(callee)
    caller.close()
    assert states(caller) == {SessionState.CLOSED}
    assert world.manager.list_sessions() == [callee.session_id]
    waiter = asyncio.create_task(caller.wait_closed())
    await asyncio.sleep(0)
    assert not waiter.done()
    await world.run(0.1)
    await waiter
    await caller.wait_closed()
    assert world.names(caller)[-1] == "session_closed"
    assert caller.statistics().media["audio"].packets_sent == 50
    assert caller.statistics().state is SessionState.CLOSED
    assert "session_updated remote_bye" in world.names(callee)


@virtual
async def test_hold_keeps_the_stream(world: World) -> None:
    """SSRC and sequence numbers go on; what the other side sends stops and comes back."""
    caller, callee = world.pair()
    caller.set_source(Tone())
    callee.set_source(Tone())
    await world.run(1)
    ssrc = caller.statistics().media["audio"].ssrc
    reoffer(caller, callee, HELD)
    assert (caller.direction, callee.direction) == (MediaDirection.SENDONLY, MediaDirection.RECVONLY)
    assert states(caller, callee) == {SessionState.ACTIVE}
    await world.run(0.1)
    before = caller.statistics().media["audio"]
    await world.run(1)
    after = caller.statistics().media["audio"]
    assert after.packets_received == before.packets_received
    assert after.packets_sent == before.packets_sent + 50
    reoffer(caller, callee, INACTIVE)
    assert states(caller, callee) == {SessionState.PAUSED}
    await world.run(0.1)
    paused = caller.statistics().media["audio"].packets_sent
    await world.run(1)
    assert caller.statistics().media["audio"].packets_sent == paused
    reoffer(caller, callee, SessionConstraints())
    await world.run(1)
    resumed = callee.statistics().media["audio"]
    assert caller.statistics().media["audio"].ssrc == ssrc
    assert resumed.remote_ssrc == ssrc
    assert resumed.packets_lost == 0
    assert caller.statistics().media["audio"].packets_sent - resumed.packets_received in (0, 1)  # on the way


@virtual
async def test_constraints_of_a_hold_last(world: World) -> None:
    """An answer to a refresh does not resume what we hold."""
    caller, callee = world.pair()
    reoffer(caller, callee, HELD)
    reoffer(callee, caller)
    assert caller.direction is MediaDirection.SENDONLY
    reoffer(caller, callee)
    assert caller.direction is MediaDirection.SENDONLY


@virtual
async def test_rollback_leaves_the_call_as_it_was(world: World) -> None:
    caller, callee = world.pair()
    caller.set_source(Tone())
    await world.run(0.5)
    local, remote = caller.local_sdp, caller.remote_sdp
    caller.create_offer(SessionConstraints(audio_codecs=("G722",), audio_direction=MediaDirection.INACTIVE))
    assert caller.local_sdp != local
    before = callee.statistics().media["audio"].packets_received
    await world.run(0.5)
    assert callee.statistics().media["audio"].packets_received == before + 25
    caller.rollback()
    assert (caller.local_sdp, caller.remote_sdp) == (local, remote)
    assert (caller.codec, caller.state) == ("PCMU", SessionState.ACTIVE)
    await world.run(0.5)
    assert callee.statistics().media["audio"].packets_received == before + 50
    assert world.names(caller)[-1] == "session_updated rolled_back"
    reoffer(caller, callee)
    assert caller.direction is MediaDirection.SENDRECV


@virtual
async def test_formats_of_an_offer_taken_back_are_forgotten(world: World) -> None:
    """Found by the model: they stayed, and a later offer of their numbers could not be received."""
    caller, _ = world.pair()
    before = caller.path.plan
    caller.create_offer(SessionConstraints(audio_codecs=("L16/16000",)))
    caller.rollback()
    assert caller.path.plan == before
    caller.create_offer(SessionConstraints(audio_codecs=("L16/8000",)))
    assert caller.path.plan is not None
    assert caller.path.plan.receive_codecs[96].clock_rate_hz == 8000


@virtual
async def test_refused_offer_in_a_call(world: World) -> None:
    caller, callee = world.pair(answer=SessionConstraints(audio_codecs=("PCMU",)))
    agreed = callee.local_sdp
    callee.set_remote_offer(caller.create_offer(SessionConstraints(audio_codecs=("G722",))))
    with pytest.raises(NoCommonCodec):
        callee.check_offer()
    with pytest.raises(NoCommonCodec):
        callee.create_answer()
    assert world.names(callee)[-1] == "session_error"
    callee.rollback()
    caller.rollback()
    assert callee.local_sdp == agreed
    assert (callee.codec, callee.state) == ("PCMU", SessionState.ACTIVE)
    caller.set_source(Tone())
    await world.run(1)
    assert callee.statistics().media["audio"].packets_received == 50


@virtual
async def test_codec_change(world: World) -> None:
    """To another rate and back; what was written at the old rate is not played at the new one."""
    caller, callee = world.pair()
    caller.write(tone())
    reoffer(caller, callee, SessionConstraints(audio_codecs=("G722",)))
    assert (caller.codec, caller.rate, callee.rate) == ("G722", 16000, 16000)
    await world.run(0.2)
    assert caller.statistics().media["audio"].packets_sent == 0
    caller.write(tone(16000))
    await world.run(1.2)
    assert callee.statistics().media["audio"].packets_received == 50
    caller.set_remote_offer(callee.create_offer(SessionConstraints(audio_codecs=("PCMA",))))
    with pytest.raises(NoCommonCodec):  # what it was told to want lasts
        caller.create_answer()
    callee.set_remote_answer(caller.create_answer(SessionConstraints(audio_codecs=("PCMA", "PCMU"))))
    assert (caller.codec, caller.rate) == ("PCMA", 8000)


@virtual
async def test_early_media(world: World) -> None:
    """What comes before the answer is heard, in any codec of the offer."""
    caller, offer = world.manager.create_offer()
    callee = world.manager.create_session_from_sdp(offer)
    callee.create_answer()
    reader = caller.frames()
    callee.write(tone(1600))
    await world.run(0.5)
    assert len(reader) >= 9
    # The first one vouches for its source, which no signalling has named yet.
    assert caller.statistics().media["audio"].packets_received == 9
    assert states(caller) == {SessionState.NEGOTIATING}


@virtual
async def test_late_offer(world: World) -> None:
    """The callee offers (in the 200), the caller answers (in the ACK)."""
    callee, offer = world.manager.create_offer()
    caller = world.manager.create_session_from_sdp(offer)
    callee.set_remote_answer(caller.create_answer())
    assert states(caller, callee) == {SessionState.ACTIVE}


@virtual
async def test_forks_share_the_port(world: World) -> None:
    """Two branches answer one offer; the one that is accepted keeps the port and the sound."""
    caller, offer = world.manager.create_offer()
    branches = [world.manager.create_session_from_sdp(offer) for _ in range(2)]
    answers = [branch.create_answer() for branch in branches]
    preview = caller.fork()
    assert preview.session_id != caller.session_id
    assert preview.local_address == caller.local_address
    preview.set_remote_answer(answers[0])
    branches[0].write(tone(1600))
    await world.run(0.3)
    assert preview.statistics().media["audio"].packets_received >= 9
    assert states(caller) == {SessionState.NEGOTIATING}
    caller.set_remote_answer(answers[1])
    preview.close()
    assert world.names(preview)[-1] == "session_closed"
    caller.write(tone(1600))
    await world.run(0.5)
    assert branches[1].statistics().media["audio"].packets_received == 10
    assert branches[0].statistics().media["audio"].packets_received == 0
    branches[1].send_dtmf("5")
    await world.run(0.5)
    assert "dtmf_received 5" in world.names(caller)
    assert states(caller) == {SessionState.ACTIVE}


@virtual
async def test_closing_a_fork_that_has_the_sound(world: World) -> None:
    caller, offer = world.manager.create_offer()
    branch = world.manager.create_session_from_sdp(offer)
    answer = branch.create_answer()
    preview = caller.fork()
    preview.set_remote_answer(answer)
    preview.close()
    assert caller.path.owner is caller
    caller.set_remote_answer(answer)
    assert states(caller) == {SessionState.ACTIVE}


@virtual
async def test_write_clear_and_drain(world: World) -> None:
    caller, _ = world.pair()
    caller.write(tone(800).tobytes())
    caller.send_audio(AudioFrame(tone(800), 8000))
    drained = asyncio.create_task(caller.drain())
    await world.run(0.1)
    assert not drained.done()
    cleared = caller.clear()
    assert (cleared.sent + cleared.dropped, cleared.sent % 160) == (1600, 0)
    assert cleared.sent > 0
    await asyncio.wait_for(drained, 1)
    await caller.drain()
    with pytest.raises(BadAudio, match="16000 Hz was written to a session of 8000 Hz"):
        caller.write(AudioFrame(tone(), 16000))
    with pytest.raises(BadAudio):
        caller.write(b"odd")
    with pytest.raises(BufferFull):
        caller.write(tone(31 * 8000))


@virtual
async def test_raw_packets_and_digits(world: World) -> None:
    caller, offer = world.manager.create_offer()
    with pytest.raises(InvalidState, match="first exchange offer and answer"):
        caller.send_audio_raw(b"x")
    with pytest.raises(InvalidState, match="first exchange offer and answer"):
        caller.send_dtmf("1")
    callee = world.manager.create_session_from_sdp(offer)
    caller.set_remote_answer(callee.create_answer())
    for _ in range(3):
        caller.send_audio_raw(bytes(160))
    caller.send_dtmf("1#", 80)
    await world.run(1)
    assert callee.statistics().media["audio"].dtmf_received == 2
    assert [name for name in world.names(callee) if "dtmf" in name] == ["dtmf_received 1", "dtmf_received #"]
    assert caller.statistics().media["audio"].bytes_sent > 480


@virtual
async def test_digits_without_telephone_event(world: World) -> None:
    caller, _ = world.pair(answer=SessionConstraints(dtmf_enabled=False))
    with pytest.raises(InvalidState):
        caller.send_dtmf("1")


@virtual
async def test_echo_playlist_taps_and_readers(world: World) -> None:
    caller, callee = world.pair()
    echo = Echo()
    callee.set_source(echo)
    callee.add_sink(echo)
    sent, heard = Sink(), Sink()
    caller.add_tap(sent)
    caller.add_sink(heard)
    done: list[bool] = []
    caller.play(Tone(5), done.append)
    with caller.frames() as reader:
        await world.run(0.5)
        assert len(reader) >= 5
    assert done == [True]
    assert len(sent.frames) == 5
    played = np.concatenate([frame.samples for frame in sent.frames])
    back = np.concatenate([frame.samples for frame in heard.frames])
    assert np.abs(back).max() > 0.9 * np.abs(played).max()
    caller.remove_tap(sent)
    caller.remove_sink(heard)
    callee.remove_sink(echo)
    callee.set_source(None)
    caller.play(Tone(), done.append)
    assert caller.stop_playing() == 1
    assert done == [True, False]
    before = len(sent.frames)
    await world.run(0.2)
    assert len(sent.frames) == before


@virtual
async def test_received_frames_as_events(world: World) -> None:
    """Only while somebody listens, and from then on."""
    caller, callee = world.pair()
    caller.set_source(Tone())
    await world.run(0.2)
    frames: list[AudioFrame] = []
    handler = callee.on("media_received", lambda event: frames.append(event.frame))
    await world.run(0.2)
    assert len(frames) >= 10
    assert {frame.sample_rate_hz for frame in frames} == {8000}
    callee.remove_listener("media_received", handler)
    seen = len(frames)
    await world.run(0.2)
    assert len(frames) == seen


@virtual
async def test_events_of_one_session(world: World) -> None:
    caller, callee = world.pair()
    digits: list[str] = []
    callee.on("dtmf_received", lambda event: digits.append(event.digit))
    caller.on("dtmf_received", lambda event: digits.append("wrong"))
    caller.send_dtmf("7")
    await world.run(0.5)
    assert digits == ["7"]


@virtual
async def test_readers_end_with_the_session(world: World) -> None:
    caller, _ = world.pair()
    reader = caller.frames()
    caller.close()
    assert [frame async for frame in reader] == []
    calls: list[Callable[[], object]] = [caller.frames, caller.create_offer, caller.fork]
    for call in calls:
        with pytest.raises(InvalidState):
            call()
    with pytest.raises(InvalidState):
        caller.write(b"\0\0")


@virtual
async def test_wrong_moments(world: World) -> None:
    caller, offer = world.manager.create_offer()
    with pytest.raises(InvalidState, match="rollback"):
        caller.create_offer()
    with pytest.raises(InvalidState, match="our offer awaits its answer"):
        caller.create_answer()
    with pytest.raises(BadSdp):
        caller.set_remote_answer("v=0\r\nnonsense\r\n")
    with pytest.raises(BadAnswer):
        caller.set_remote_answer("v=0\r\nm=video 4000 RTP/AVP 31\r\n")
    callee = world.manager.create_session_from_sdp(offer)
    caller.set_remote_answer(callee.create_answer())
    calls: list[Callable[[], object]] = [caller.rollback, caller.create_answer]
    for call in calls:
        with pytest.raises(InvalidState, match="no offer is open"):
            call()
    with pytest.raises(InvalidState, match="no offer is open"):
        caller.set_remote_answer(offer)


@virtual
async def test_rollback_of_the_first_offer(world: World) -> None:
    caller, _ = world.manager.create_offer()
    address = caller.local_address
    caller.rollback()
    assert states(caller) == {SessionState.IDLE}
    assert caller.local_sdp is None
    callee = world.manager.create_session_from_sdp(caller.create_offer())
    caller.set_remote_answer(callee.create_answer())
    assert caller.local_address == address
    assert states(caller) == {SessionState.ACTIVE}


@virtual
async def test_audio_switched_off(world: World) -> None:
    caller, callee = world.pair()
    reoffer(caller, callee, SessionConstraints(audio_enabled=False))
    assert states(caller, callee) == {SessionState.PAUSED}
    assert caller.codec is None
    assert caller.streams == ()
    reoffer(callee, caller, SessionConstraints())
    assert states(caller) == {SessionState.PAUSED}  # the caller still wants none
    caller.write(tone(160))
    reoffer(caller, callee, SessionConstraints())
    assert states(caller, callee) == {SessionState.ACTIVE}
    await world.run(0.2)
    assert callee.statistics().media["audio"].packets_received == 1


@virtual
async def test_constraints(world: World) -> None:
    session, sdp = world.manager.create_offer(
        SessionConstraints(
            local_port=20000,
            advertised_ip="192.0.2.1",
            audio_codecs=("G722", "L16/8000"),
            audio_ptime=40,
            dtmf_payload_type=120,
        )
    )
    assert session.local_address == ("127.0.0.1", 20000)
    assert session.rate == 8000  # of the manager's first codec, until something is agreed
    assert "c=IN IP4 192.0.2.1\r\n" in sdp
    assert "m=audio 20000 RTP/AVP 9 96 120\r\n" in sdp
    assert "a=ptime:40\r\n" in sdp
    other, sdp = world.manager.create_offer(SessionConstraints(local_ip="::1"))
    assert "c=IN IP6 ::1\r\n" in sdp
    assert other.local_address == ("::1", 10000)
    with pytest.raises(Unsupported):
        world.manager.create_offer(SessionConstraints(video_enabled=True))
    with pytest.raises(UnknownCodec, match="PCMU"):
        world.manager.create_offer(SessionConstraints(audio_codecs=("SPEEX",)))
    for name in ("PCMU/x", "PCMU/8000/1/1"):
        with pytest.raises(UnknownCodec):
            world.manager.create_offer(SessionConstraints(audio_codecs=(name,)))
    with pytest.raises(BadAddress, match="advertised_ip"):
        world.manager.create_offer(SessionConstraints(local_ip="0.0.0.0"))
    assert len(world.manager.list_sessions()) == 2


@virtual
async def test_gather_and_repr(world: World) -> None:
    caller, _ = world.manager.create_offer()
    await caller.gather()
    assert "negotiating" in repr(caller)


@virtual
async def test_old_hold_is_answered_and_nothing_sent(world: World) -> None:
    caller, callee = world.pair()
    caller.set_source(Tone())
    callee.set_source(Tone())
    await world.run(0.2)
    held = (caller.local_sdp or "").replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0")
    callee.set_remote_offer(held)
    assert "a=recvonly" in callee.create_answer()
    await world.run(0.1)
    before = caller.statistics().media["audio"].packets_received
    await world.run(0.5)
    assert caller.statistics().media["audio"].packets_received == before


@pytest.mark.parametrize("rtcp_mux", [False, True])
def test_rtcp_on_its_own_port_or_muxed(rtcp_mux: bool) -> None:
    """Both ends learn the round trip; muxed, the odd ports stay silent."""

    async def main() -> None:
        world = World(rtcp_mux=rtcp_mux)
        caller, callee = world.pair()
        caller.set_source(Tone())
        callee.set_source(Tone())
        odd = world.runtime.sockets["127.0.0.1", 10001]
        await world.run(20)
        for session in (caller, callee):
            audio = session.statistics().media["audio"]
            assert audio.rtt is not None
            assert audio.remote_packet_loss_rate == 0.0
            assert audio.mos is not None
            assert audio.mos > 4
        assert bool(odd.sent) != rtcp_mux
        world.manager.stop()

    asyncio.run(main())


class Tone:
    """Gives blocks of a tone, `limit` of them or without end."""

    def __init__(self, limit: int | None = None) -> None:
        self._left = limit

    def pull(self, n: int) -> AudioFrame | None:
        if self._left is not None:
            if not self._left:
                return None
            self._left -= 1
        return AudioFrame(tone(n), n * 50)


class Sink:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.frames: list[AudioFrame] = []

    def push(self, frame: AudioFrame) -> None:
        self.frames.append(frame)
