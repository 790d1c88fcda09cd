"""Two sessions doing offer and answer in any order, packets between them, and what must always hold.

One side is plainly ours. The other seems to do more media than we do (`MoreLines`): its offers have
lines that are refused, are added, and move.
"""

from dataclasses import dataclass, replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from media import ManagerConfig, MediaDirection, MediaManager, MediaSession, PortRange, SessionConstraints
from media.errors import BadAnswer, BadSdp, InvalidState, NegotiationError, NoCommonCodec
from media.plan import StreamPlan
from media.rtp.statistics import StreamStatistics
from media.sdp.attributes import formats_of
from media.sdp.description import SessionDescription
from media.sdp.negotiation import SignalingState
from tests.media.helpers.more_lines import EXTRA_LINES, MoreLines
from tests.media.virtual import VirtualRuntime

CODECS = ("PCMU", "PCMA", "G722", "L16/16000", "L16/8000")
CODEC_LISTS = st.lists(st.sampled_from(CODECS), min_size=1, unique=True).map(tuple)
CONSTRAINTS = st.builds(
    SessionConstraints,
    audio_enabled=st.sampled_from([True, True, True, True, True, False]),
    audio_codecs=st.none() | CODEC_LISTS,
    audio_direction=st.sampled_from(MediaDirection),
    audio_ptime=st.sampled_from([None, 10, 20, 30, 60]),
    dtmf_enabled=st.booleans(),
    dtmf_payload_type=st.sampled_from([96, 101, 127]),
    prefer_own_codecs=st.none() | st.booleans(),
)
SETTINGS = st.fixed_dictionaries(
    {
        "default_audio_codecs": CODEC_LISTS,
        "default_ptime": st.sampled_from([10, 20, 40]),
        "answer_one_codec": st.booleans(),
        "rtcp_mux": st.booleans(),
    }
)
SIDES = st.sampled_from([0, 1])
PACKETS_WITHIN_S = 0.2


@dataclass(frozen=True)
class Standing:
    """What a failed change must leave as it was."""

    local: str | None
    remote: str | None
    direction: MediaDirection
    plan: StreamPlan | None


class Side:
    """One end: its session and what it has sent."""

    def __init__(self, runtime: VirtualRuntime, ports: PortRange, config: dict[str, object]) -> None:
        self.manager = MediaManager(
            ManagerConfig(rtp_port_range=ports, idle="silence", **config),  # type: ignore[arg-type]
            runtime,
        )
        self.manager.start()
        self.session: MediaSession | None = None
        self.last_sent: SessionDescription | None = None
        self.before: Standing | None = None
        self.thrown_away = 0

    @property
    def open(self) -> MediaSession:
        assert self.session is not None
        return self.session

    @property
    def counted(self) -> StreamStatistics:
        return self.open.path.statistics()

    @property
    def standing(self) -> Standing:
        session = self.session
        if session is None or not session.local_sdp:
            return Standing(None, None, MediaDirection.INACTIVE, None)
        plan = session.path.plan if session.codec is not None else None
        return Standing(session.local_sdp, session.remote_sdp, session.direction, plan)

    def sent(self, sdp: str) -> str:
        """Check the version of a description that goes out (RFC 3264 section 8)."""
        description = SessionDescription.parse(sdp)
        origin = description.origin
        assert origin is not None
        if self.last_sent is not None:
            last = self.last_sent.origin
            assert last is not None
            assert (origin.session_id, origin.username) == (last.session_id, last.username)
            changed = sdp.replace(str(origin), "") != str(self.last_sent).replace(str(last), "")
            assert int(origin.session_version) == int(last.session_version) + changed
        self.last_sent = description
        self._check_lines(description)
        return sdp

    def _check_lines(self, description: SessionDescription) -> None:
        for line in description.media:
            formats = formats_of(line)
            if line.refused:
                continue
            assert self.open.local_address is not None
            assert line.port == self.open.local_address[1]
            assert len(line.formats) == len(set(line.formats)) == len(formats), f"{line}"


class TwoSessions(RuleBasedStateMachine):
    """Alice (0) is plain, bob (1) has more lines."""

    def __init__(self) -> None:
        super().__init__()
        self.sides: tuple[Side, Side]
        self.runtime = VirtualRuntime()
        self.lines = MoreLines()
        self.offerer: int | None = None
        self.offered = ""
        self.agree = False
        """The last exchange went through, so both have the same idea of the session."""
        self.last_standing: tuple[Standing, Standing]

    def teardown(self) -> None:
        for side in getattr(self, "sides", ()):
            side.manager.stop()
        assert not self.runtime.sockets

    @initialize(a=SETTINGS, b=SETTINGS)
    def begin(self, a: dict[str, object], b: dict[str, object]) -> None:
        self.sides = (
            Side(self.runtime, PortRange(10000, 10009), a),
            Side(self.runtime, PortRange(11000, 11009), b),
        )

    # --- the way between them ---

    def to_wire(self, side: int, sdp: str, *, answers: str | None = None) -> str:
        self.sides[side].sent(sdp)
        if side == 0:
            return sdp
        return self.lines.offer(sdp) if answers is None else self.lines.answer(sdp, answers)

    # --- offers ---

    @precondition(lambda self: self.offerer is None)
    @rule(who=SIDES, wishes=CONSTRAINTS)
    def offer(self, who: int, wishes: SessionConstraints) -> None:
        self.note()
        self.offered = self.to_wire(who, self.make_offer(who, wishes))
        self.offerer = who

    def make_offer(self, who: int, wishes: SessionConstraints) -> str:
        side = self.sides[who]
        if side.session is None:
            side.session, sdp = side.manager.create_offer(wishes)
            return sdp
        return side.session.create_offer(wishes)

    def note(self) -> None:
        for side in self.sides:
            side.before = side.standing

    def check_as_before(self) -> None:
        self.lines.settle(False)
        for side in self.sides:
            before, now = side.before, side.standing
            assert before is not None
            if before.plan is None:
                continue
            assert now == before

    @precondition(lambda self: self.offerer is None and all(side.session for side in self.sides))
    @rule(a=CONSTRAINTS, b=CONSTRAINTS)
    def glare(self, a: SessionConstraints, b: SessionConstraints) -> None:
        """Both offer, both refuse with 491, both step back."""
        self.note()
        wires = [self.to_wire(who, self.make_offer(who, wishes)) for who, wishes in ((0, a), (1, b))]
        for side, theirs in zip(self.sides, reversed(wires), strict=True):
            with pytest.raises(InvalidState):
                side.open.set_remote_offer(theirs)
        for side in self.sides:
            side.open.rollback()
        self.check_as_before()

    @precondition(lambda self: self.offerer is None)
    @rule(text=st.sampled_from(EXTRA_LINES))
    def bob_adds_a_line(self, text: str) -> None:
        self.lines.add(text)

    @precondition(lambda self: self.offerer is None)
    @rule()
    def bob_moves_his_audio(self) -> None:
        self.lines.move()

    # --- what becomes of an offer ---

    def deliver(self) -> tuple[Side, Side]:
        """Give the answerer the offer; returns offerer and answerer."""
        assert self.offerer is not None
        offerer, answerer = self.sides[self.offerer], self.sides[1 - self.offerer]
        text = self.lines.take_offer(self.offered) if self.offerer == 0 else self.offered
        if answerer.session is None:
            answerer.session = answerer.manager.create_session_from_sdp(text)
        else:
            answerer.session.set_remote_offer(text)
        return offerer, answerer

    @precondition(lambda self: self.offerer is not None)
    @rule()
    def offerer_takes_it_back(self) -> None:
        assert self.offerer is not None
        self.sides[self.offerer].open.rollback()
        self.offerer = None
        self.check_as_before()

    @precondition(lambda self: self.offerer is not None)
    @rule()
    def refuse(self) -> None:
        for side in self.deliver():
            side.open.rollback()
        self.offerer = None
        self.check_as_before()

    @precondition(lambda self: self.offerer is not None)
    @rule(
        wishes=st.none() | CONSTRAINTS,
        spoilt=st.sampled_from(["", "", "", "kind", "profile", "more", "none", "codec", "text"]),
        given_up=st.booleans(),
    )
    def answer(self, wishes: SessionConstraints | None, spoilt: str, given_up: bool) -> None:
        """Answered as asked; on its way the answer may be spoilt first, and then come right or never."""
        assert self.offerer is not None
        who = self.offerer
        offerer, answerer = self.deliver()
        try:
            sdp = answerer.open.create_answer(wishes)
        except NegotiationError:
            assert answerer.open.signaling_state is SignalingState.HAVE_REMOTE_OFFER
            answerer.open.rollback()
            offerer.open.rollback()
            self.offerer = None
            self.check_as_before()
            return
        wire = self.to_wire(1 - who, sdp, answers=self.offered)
        answer = self.lines.take_answer(wire) if who == 1 else wire
        if spoilt:
            wrong = spoil(answer, spoilt)
            if wrong is not None:
                with pytest.raises((BadAnswer, BadSdp, NoCommonCodec)):
                    offerer.open.set_remote_answer(wrong)
                assert offerer.open.signaling_state is SignalingState.HAVE_LOCAL_OFFER
                assert offerer.before is not None
                if given_up and offerer.before.plan is not None and not self.lines.changed:
                    offerer.open.rollback()
                    assert offerer.standing == offerer.before
                    self.offerer, self.agree = None, False
                    return
        offerer.open.set_remote_answer(answer)
        self.lines.settle(True)
        self.offerer, self.agree = None, True
        self.check_agreement()

    # --- what must hold ---

    def check_agreement(self) -> None:
        alice, bob = self.sides
        assert (alice.open.codec is None) == (bob.open.codec is None)
        assert alice.open.direction is bob.open.direction.reversed
        if alice.open.codec is None:
            return
        for one, other in ((alice, bob), (bob, alice)):
            mine, theirs = one.open.path.plan, other.open.path.plan
            assert mine is not None
            assert theirs is not None
            assert mine.send_codec is not None
            assert theirs.receive_codecs[mine.send_payload_type] == mine.send_codec
            assert mine.remote_rtp == other.open.local_address
            assert mine.rtcp_mux == theirs.rtcp_mux
            if mine.telephone_event_send is not None and mine.send_codec == theirs.send_codec:
                assert mine.telephone_event_send == theirs.telephone_event_receive
            assert mine.telephone_event_receive not in mine.receive_codecs

    @rule()
    def time_passes(self) -> None:
        self.flow()

    def flow(self) -> None:
        """Who says that he sends does, and is heard; nobody gets what he does not know."""
        if not self.agree:
            self.runtime.run(PACKETS_WITHIN_S)
            return
        before = [side.counted for side in self.sides]
        self.runtime.run(PACKETS_WITHIN_S)
        for one, other in ((0, 1), (1, 0)):
            sent = self.sides[one].counted.packets_sent - before[one].packets_sent
            got = self.sides[other].counted.packets_received - before[other].packets_received
            sends = self.sides[one].open.direction.sends
            assert (sent > 1) == sends, f"{one} sent {sent}"
            assert (got > 1) == sends, f"{other} got {got}"

    @invariant()
    def nothing_was_thrown_away(self) -> None:
        for side in getattr(self, "sides", ()):
            if side.session is not None:
                counted = side.counted
                assert (counted.source_errors, counted.send_errors) == (0, 0)
                if self.agree and all(side.session and side.session.codec for side in self.sides):
                    assert counted.discarded_garbage + counted.discarded_foreign == side.thrown_away
                else:  # the first packets of a stream not yet agreed on, the last of one switched off
                    side.thrown_away = counted.discarded_garbage + counted.discarded_foreign

    @invariant()
    def what_is_offered_can_be_received(self) -> None:
        if self.offerer is None:
            return
        session = self.sides[self.offerer].open
        description = SessionDescription.parse(session.local_sdp or "")
        for line in description.media:
            if line.refused:
                continue
            plan = session.path.plan
            assert plan is not None
            for entry in formats_of(line):
                if entry.is_event:
                    continue
                codec = plan.receive_codecs[entry.payload_type]
                assert (codec.name, codec.clock_rate_hz) == (entry.encoding, entry.clock_rate_hz)


def spoil(sdp: str, how: str) -> str | None:
    """The answer with a mistake; None if it has no live line to make it in."""
    description = SessionDescription.parse(sdp)
    if how == "text":
        return "no description"
    if how == "more":
        extra = SessionDescription.parse("v=0\r\n" + EXTRA_LINES[0]).media
        return str(description.with_media([*description.media, *extra]))
    live = next((index for index, line in enumerate(description.media) if not line.refused), None)
    if live is None:
        return None
    media = list(description.media)
    line = media[live]
    if how == "none":
        media = media[:live]
    else:
        media[live] = {
            "kind": replace(line, media="video"),
            "profile": replace(line, protocol="RTP/SAVP"),
            "codec": replace(line, formats=("18",), lines=()),
        }[how]
    return str(description.with_media(media))


TwoSessions.TestCase.settings = settings(
    deadline=None, max_examples=150, stateful_step_count=25, report_multiple_bugs=False
)
TestTwoSessions = TwoSessions.TestCase
