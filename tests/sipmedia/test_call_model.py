"""Two whole phones changing their call in any order, over a network that may lose much, in virtual time.

Alice's phone is plainly ours. Bob's seems to do more media than we do: his offers have lines to be refused.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from dialog.errors import LocalProtocolError
from dialog.user_agent import TracedMessage
from media import ManagerConfig
from media.sdp.description import SessionDescription
from sipmedia import Account, Call, IncomingCall, ModificationFailed, Softphone
from sipmedia.errors import CallEnded
from sipmedia.offer_answer import OfferAnswer
from sipmedia.parties import CallState
from sipmedia.simulation import Network, Simulation
from tests.media.helpers.more_lines import EXTRA_LINES, MoreLines

ALICE, BOB = "10.0.0.1", "10.0.0.2"
SPOILT = (
    "m=audio 4000 RTP/AVP 18\r\n",
    "m=audio 4000 RTP/SAVP 0 8\r\n",
    "m=video 4000 RTP/AVP 31\r\n",
    "m=audio 4000\r\n",
)
"""Offers that must be refused with 488."""
SPOILT_HEAD = "v=0\r\nc=IN IP4 10.0.0.9\r\n"


class RichMedia(OfferAnswer):
    """With more lines than the session has."""

    lines: MoreLines
    theirs = ""

    def offer(self) -> bytes:
        return self.lines.offer(super().offer().decode()).encode()

    def take_offer(self, body: bytes) -> None:
        self.theirs = body.decode()
        super().take_offer(self.lines.take_offer(self.theirs).encode())

    def answer(self) -> bytes:
        self.lines.settle(True)
        return self.lines.answer(super().answer().decode(), self.theirs).encode()

    def answer_to(self, body: bytes) -> bytes:
        text = body.decode()
        if text.startswith(SPOILT_HEAD):
            return super().answer_to(body)
        self.lines.settle(False)
        try:
            answer = super().answer_to(self.lines.take_offer(text).encode()).decode()
        except Exception:
            self.lines.settle(False)
            raise
        self.lines.settle(True)
        return self.lines.answer(answer, text).encode()

    def take_answer(self, body: bytes) -> None:
        super().take_answer(self.lines.take_answer(body.decode()).encode())
        self.lines.settle(True)

    def rollback(self) -> None:
        self.lines.settle(False)
        super().rollback()


class Phone(Softphone):
    """A phone whose descriptions are noted as they go out."""

    last = 0

    def __init__(self, host: str, media: ManagerConfig, lines: MoreLines | None = None) -> None:
        super().__init__(Account(f"sip:phone@{host}"), bind=f"{host}:5060", media=media)
        self.lines = lines
        self.versions: dict[int, str] = {}
        self.wrong: list[str] = []
        self.on("error", lambda event: self.wrong.append(repr(event)))

    def _offer_answer(self, *arguments: Any) -> OfferAnswer:
        media = super()._offer_answer(*arguments)
        if self.lines is None:
            return media
        rich = RichMedia(media.manager, media._constraints)
        rich.lines = self.lines
        return rich

    def _on_message(self, message: TracedMessage) -> None:
        super()._on_message(message)
        body = message.data.partition(b"\r\n\r\n")[2].decode()
        if message.direction == "sent" and self.lines is None and body and not body.startswith(SPOILT_HEAD):
            self.sent(body)  # the lines around those of bob's session have no version

    def sent(self, body: str) -> None:
        """A version stands for one description, a new one is the next number (RFC 3264 section 8)."""
        origin = SessionDescription.parse(body).origin
        assert origin is not None
        version, text = int(origin.session_version), body.replace(str(origin), "")
        if version not in self.versions:
            if version != self.last + 1 or text == self.versions.get(self.last):
                self.wrong.append(f"version {version} after {self.last}")
            self.last = version
        if self.versions.setdefault(version, text) != text:
            self.wrong.append(f"version {version} stands for two descriptions")


@dataclass
class Party:
    """A phone and its call."""

    phone: Phone
    call: Call | None = None

    @property
    def up(self) -> Call:
        assert self.call is not None
        return self.call

    def standing(self) -> tuple[Any, ...]:
        session = self.up.session
        assert session is not None
        return self.up.held, session.direction, session.local_sdp, session.remote_sdp, session.path.plan


@dataclass(frozen=True)
class Change:
    """Something one of them does to the call."""

    verb: str
    codecs: tuple[str, ...] = ()
    text: str = ""

    async def of(self, call: Call) -> None:
        if self.verb == "hold":
            await call.hold()
        elif self.verb == "resume":
            await call.resume()
        elif self.verb == "codecs":
            await call.use_codecs(*self.codecs)
        else:
            body = None if self.verb == "ask" else (SPOILT_HEAD + self.text).encode()
            try:
                call.usage.reinvite(body)
            except LocalProtocolError as error:
                raise ModificationFailed(491, "not now") from error


CHANGES = st.one_of(
    st.sampled_from([Change("hold"), Change("resume"), Change("ask")]),
    st.sampled_from(SPOILT).map(lambda text: Change("spoilt", text=text)),
    st.lists(st.sampled_from(["PCMU", "PCMA", "G722"]), min_size=1, unique=True)
    .map(tuple)
    .map(lambda names: Change("codecs", names)),
)
SIDES = st.sampled_from([0, 1])


class TwoPhones(RuleBasedStateMachine):
    """One call from its answer to its end."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Network(seed=1)
        self.link = self.network.link(
            self.network.host(ALICE, name="alice"), self.network.host(BOB, name="bob"), delay=0.005
        )
        self.sim = Simulation(self.network)
        self.sim.capture.points = "none"
        self.sim.__enter__()
        self.lines = MoreLines()
        self.parties: tuple[Party, Party]
        self.lossy = False

    @initialize(
        late_offer=st.booleans(),
        extra=st.lists(st.sampled_from(EXTRA_LINES), max_size=2),
        mux=st.booleans(),
        one=st.booleans(),
    )
    def call(self, late_offer: bool, extra: list[str], mux: bool, one: bool) -> None:
        for text in extra:
            self.lines.add(text)

        async def begin() -> None:
            bobs = ManagerConfig(rtcp_mux=mux, answer_one_codec=one, default_audio_codecs=("PCMU", "PCMA"))
            self.parties = (
                Party(Phone(ALICE, ManagerConfig(rtcp_mux=True))),
                Party(Phone(BOB, bobs, self.lines)),
            )
            for party in self.parties:
                await party.phone.start()

            async def answer(event: IncomingCall) -> None:
                self.parties[1].call = event.call
                await event.call.answer()

            self.parties[1].phone.on("incoming_call", answer)
            self.parties[0].call = await self.parties[0].phone.call(f"sip:bob@{BOB}", late_offer=late_offer)
            await asyncio.sleep(0.5)

        self.sim.run(begin())
        self.check()

    def teardown(self) -> None:
        async def end() -> None:
            for party in getattr(self, "parties", ()):
                await party.phone.aclose()

        try:
            self.sim.run(end())
            assert self.sim.open_sockets() == []
        finally:
            self.sim.close()

    @property
    def running(self) -> bool:
        return all(party.up.state is CallState.ANSWERED for party in self.parties)

    # --- what they do ---

    @precondition(lambda self: self.running)
    @rule(who=SIDES, change=CHANGES)
    def one_changes(self, who: int, change: Change) -> None:
        self.change([(who, change, 0.0)])

    @precondition(lambda self: self.running)
    @rule(
        first=CHANGES,
        second=CHANGES,
        after=st.sampled_from([0.0, 0.003, 0.006, 0.011, 0.016, 0.6]),
        starter=SIDES,
    )
    def both_change(self, first: Change, second: Change, after: float, starter: int) -> None:
        self.change([(starter, first, 0.0), (1 - starter, second, after)])

    @precondition(lambda self: self.running)
    @rule(text=st.sampled_from(EXTRA_LINES))
    def bob_adds_a_line(self, text: str) -> None:
        self.lines.add(text)
        self.change([(1, Change("hold" if not self.parties[1].up.held else "resume"), 0.0)])

    @rule(loss=st.sampled_from([0.0, 0.0, 0.2, 0.4]))
    def the_network_changes(self, loss: float) -> None:
        self.lossy = loss > 0
        self.link.set(loss=loss)

    # --- and what becomes of it ---

    def change(self, changes: list[tuple[int, Change, float]]) -> None:
        before = [party.standing() for party in self.parties]
        results = self.sim.run(self.outcomes(changes))
        if not self.running:
            self.check_over(changes)
            return
        assert all(result is None or result.status in (488, 491) for result in results)
        for (who, change, _), result in zip(changes, results, strict=True):
            call, held = self.parties[who].up, before[who][0]
            if result is None:
                held = {"hold": True, "resume": False}.get(change.verb, held)
            assert call.held == held
            if result is None and change.verb == "codecs" and len(changes) == 1:
                assert call.codec in change.codecs
        spoilt = all(change.verb == "spoilt" for _, change, _ in changes)
        if spoilt or (len(changes) == 1 and results[0] is not None):
            assert [party.standing() for party in self.parties] == before
        elif len(changes) == 1 and not self.lossy and changes[0][1].verb in ("hold", "resume"):
            assert results[0] is None
        self.check()

    async def outcomes(self, changes: list[tuple[int, Change, float]]) -> list[ModificationFailed | None]:
        async def one(who: int, change: Change, after: float) -> ModificationFailed | None:
            await asyncio.sleep(after)
            try:
                await change.of(self.parties[who].up)
            except ModificationFailed as error:
                return error
            except CallEnded:
                pass
            return None

        results = await asyncio.gather(*(one(*each) for each in changes))
        await asyncio.sleep(40 if self.lossy else 20 if len(changes) > 1 else 0.5)
        return list(results)

    def check_over(self, changes: list[tuple[int, Change, float]]) -> None:
        """A call may end for a change only if nobody answered, or an offer we had asked for was unusable."""
        assert self.lossy or any(change.verb == "ask" for _, change, _ in changes)
        self.sim.run(asyncio.sleep(70))
        assert all(party.up.state is CallState.ENDED for party in self.parties)

    def check(self) -> None:
        """Both have the same idea of the session, and sound goes where it should."""
        alice, bob = self.parties
        assert alice.phone.wrong == bob.phone.wrong == []
        for one, other in ((alice, bob), (bob, alice)):
            session, peer = one.up.session, other.up.session
            assert session is not None
            assert peer is not None
            assert session.direction is peer.direction.reversed
            assert not one.up.held or not session.direction.receives
            assert one.up.held_by_remote == other.up.held
            mine, theirs = session.path.plan, peer.path.plan
            assert mine is not None
            assert theirs is not None
            assert mine.send_codec is not None
            assert theirs.receive_codecs[mine.send_payload_type] == mine.send_codec
            assert mine.remote_rtp == peer.local_address
            assert mine.rtcp_mux == theirs.rtcp_mux
        loss = self.link.towards(self.network.hosts[0]).settings.loss
        self.link.set(loss=0.0)
        self.sim.run(asyncio.sleep(0.1))
        before = [party.up.session.path.statistics() for party in self.parties if party.up.session]
        self.sim.run(asyncio.sleep(0.2))
        self.link.set(loss=loss)
        after = [party.up.session.path.statistics() for party in self.parties if party.up.session]
        for one_way, other_way in ((0, 1), (1, 0)):
            session = self.parties[one_way].up.session
            assert session is not None
            got = after[other_way].packets_received - before[other_way].packets_received
            assert (got > 1) == session.direction.sends
            assert after[one_way].source_errors == 0
            assert after[one_way].discarded_garbage == 0
            assert after[one_way].discarded_foreign == 0


TwoPhones.TestCase.settings = settings(
    deadline=None,
    max_examples=25,
    stateful_step_count=12,
    report_multiple_bugs=False,
    phases=[Phase.generate, Phase.shrink],
)
TestTwoPhones = TwoPhones.TestCase
