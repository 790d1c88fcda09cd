"""Transfers in virtual time: three phones on one host, as transferor, transferee and target."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from dialog.incoming import IncomingRequest
from dialog.replaces import Replaces
from dialog.service_events import ReferEnded
from dialog.usage.invite import InviteUsage
from media import ManagerConfig
from media.audio.graph import SampleSource
from media.audio.synthesis import melody
from media.frame import AudioFrame
from sipmedia import (
    Account,
    Call,
    CallEnded,
    CallState,
    IncomingCall,
    InvalidAddress,
    InvalidCallState,
    PhoneConfig,
    Softphone,
    TransferFailed,
)
from sipmedia.service_events import Replaced, TransferProgress, Transferred, TransferRequested
from tests.sipmedia.kit.phones import PORTS, first, run


class Ear:
    """Keeps when it heard something."""

    moves_with_call = True

    def __init__(self) -> None:
        self.loud: list[float] = []

    def push(self, frame: AudioFrame) -> None:
        if abs(frame.samples).max(initial=0) > 500:
            self.loud.append(asyncio.get_running_loop().time())

    def hears(self, seconds: float = 0.5) -> bool:
        now = asyncio.get_running_loop().time()
        return any(time > now - seconds for time in self.loud)


@dataclass
class Party:
    """A phone that answers, plays a melody in each call, and listens."""

    phone: Softphone
    calls: list[Call] = field(default_factory=list)
    ear: Ear = field(default_factory=Ear)

    @property
    def uri(self) -> str:
        return f"{self.phone.accounts[0].uri}:{self.phone.address[1]}"

    @property
    def call(self) -> Call:
        return self.calls[-1]

    def live(self) -> list[Call]:
        return self.phone.calls


@dataclass
class Three:
    alice: Party
    bob: Party
    carol: Party

    async def connected(self) -> Call:
        """Alice's call with Bob, with sound both ways."""
        call = await self.alice.phone.call(self.bob.uri)
        talk(self.alice, call)
        await asyncio.sleep(1)
        return call


def talk(party: Party, call: Call) -> None:
    assert call.session is not None
    call.session.add_sink(party.ear)
    call.play(SampleSource(melody(8000), 8000, repeat=None))


@asynccontextmanager
async def three(
    *, bob: PhoneConfig | None = None, carol: PhoneConfig | None = None, carol_answers: bool = True
) -> AsyncIterator[Three]:
    media = ManagerConfig(rtp_port_range=PORTS, default_audio_codecs=("PCMU",))
    async with (
        Softphone(Account("sip:alice@127.0.0.1"), bind="127.0.0.1:0", media=media) as a,
        Softphone(Account("sip:bob@127.0.0.1"), bind="127.0.0.1:0", media=media, config=bob) as b,
        Softphone(Account("sip:carol@127.0.0.1"), bind="127.0.0.1:0", media=media, config=carol) as c,
    ):
        parties = Three(Party(a), Party(b), Party(c))

        def answering(party: Party) -> None:
            async def answer(event: IncomingCall) -> None:
                party.calls.append(event.call)
                await event.call.answer()
                talk(party, event.call)

            party.phone.on("incoming_call", answer)

        answering(parties.bob)
        if carol_answers:
            answering(parties.carol)
        yield parties


def test_blind_with_sound_all_the_way() -> None:
    async def main() -> None:
        async with three() as p:
            call = await p.connected()
            progress: list[int] = []
            call.on("transfer_progress", lambda event: progress.append(event.status))
            transferred = first(p.bob.call, "transferred")
            outcome = await call.transfer(p.carol.uri)
            assert (outcome.status, outcome.known) == (200, True)
            assert progress == [100, 180, 200] or progress == [100, 200]
            assert call.state is CallState.ENDED
            event: Transferred = await transferred
            assert event.call is p.bob.call
            await asyncio.sleep(1)
            assert p.bob.live() == [event.successor]
            assert len(p.carol.live()) == 1
            assert p.bob.ear.hears()  # what played and listened in the first call goes on in the second
            assert p.carol.ear.hears()
            assert not p.alice.live()
            assert p.carol.call.usage.request.headers.get("Referred-By") == "<sip:alice@127.0.0.1>"

    run(main())


def test_attended_with_sound_all_the_way() -> None:
    async def main() -> None:
        async with three() as p:
            call = await p.connected()
            await call.hold()
            consultation = await p.alice.phone.call(p.carol.uri)
            talk(p.alice, consultation)
            await asyncio.sleep(1)
            replaced = first(p.carol.call, "replaced")
            outcome = await call.transfer_to(consultation)
            assert outcome.status == 200
            event: Replaced = await replaced
            assert event.call is p.carol.call
            await asyncio.sleep(1)
            assert not p.alice.live()
            assert p.carol.live() == [event.successor]
            assert len(p.bob.live()) == 1
            assert p.bob.ear.hears()
            assert p.carol.ear.hears()
            assert len(p.carol.calls) == 1  # no handler was asked again

    run(main())


@pytest.mark.parametrize("attended", [False, True])
def test_the_target_refuses_and_the_first_call_goes_on(attended: bool) -> None:
    async def main() -> None:
        async with three(carol=PhoneConfig(accept_transfers=False)) as p:
            call = await p.connected()
            if attended:
                other = await p.alice.phone.call(p.carol.uri)
                with pytest.raises(TransferFailed) as caught:
                    await call.transfer_to(other)
                assert caught.value.status == 603
                assert other.state is CallState.ANSWERED
            else:
                p.carol.phone.remove_all_listeners("incoming_call")
                with pytest.raises(TransferFailed) as caught:
                    await call.transfer(p.carol.uri)
                assert caught.value.status == 480
            assert caught.value.taken
            assert not call.held
            await asyncio.sleep(1)
            assert call.state is CallState.ANSWERED
            assert p.bob.ear.hears()
            assert p.alice.ear.hears()

    run(main())


def test_the_transferee_refuses_by_its_settings() -> None:
    async def main() -> None:
        async with three(bob=PhoneConfig(accept_transfers=False)) as p:
            call = await p.connected()
            with pytest.raises(TransferFailed) as caught:
                await call.transfer(p.carol.uri)
            assert (caught.value.status, caught.value.taken) == (603, False)
            assert not call.held

    run(main())


@pytest.mark.parametrize("where", ["call", "phone"])
def test_a_handler_decides(where: str) -> None:
    async def main() -> None:
        async with three() as p:
            call = await p.connected()
            asked: list[TransferRequested] = []

            def decide(event: TransferRequested) -> None:
                asked.append(event)
                event.request.reject(486)
                with pytest.raises(InvalidCallState):
                    event.request.accept()

            (p.bob.call if where == "call" else p.bob.phone).on("transfer_requested", decide)
            with pytest.raises(TransferFailed) as caught:
                await call.transfer(p.carol.uri)
            assert caught.value.status == 486
            request = asked[0].request
            assert (request.target, request.attended) == (p.carol.uri, False)
            assert request.referred_by == "<sip:alice@127.0.0.1>"

    run(main())


def test_a_handler_accepts_where_the_settings_do_not() -> None:
    async def main() -> None:
        async with three(bob=PhoneConfig(accept_transfers=False)) as p:
            call = await p.connected()
            p.bob.call.on("transfer_requested", lambda event: event.request.accept())
            assert (await call.transfer(p.carol.uri)).status == 200

    run(main())


def test_without_being_told_how_it_went() -> None:
    async def main() -> None:
        async with three() as p:
            call = await p.connected()
            outcome = await call.transfer(p.carol.uri, follow=False)
            assert (outcome.status, outcome.known) == (0, False)
            await asyncio.sleep(1)
            assert len(p.carol.live()) == len(p.bob.live()) == 1
            assert not p.alice.live()

    run(main())


def test_the_far_end_cannot_call_the_target() -> None:
    async def main() -> None:
        async with three() as p:
            call = await p.connected()
            with pytest.raises(TransferFailed) as caught:
                await call.transfer("tel:+4930123456")
            assert caught.value.status == 603

    run(main())


def test_the_transferee_ends_the_call_itself_when_nobody_else_does() -> None:
    async def main() -> None:
        async with three() as p:
            call = await p.connected()
            await call.transfer(p.carol.uri, hang_up=False)
            assert call.state is CallState.ANSWERED
            ended = await call.ended()
            assert ended.by == "remote"
            assert len(p.bob.live()) == 1

    run(main())


def test_the_call_ends_before_the_outcome_is_told() -> None:
    async def main() -> None:
        async with three(carol_answers=False, carol=PhoneConfig(ring_timeout=60)) as p:
            p.carol.phone.on("incoming_call", lambda event: None)
            call = await p.connected()
            transfer = asyncio.ensure_future(call.transfer(p.carol.uri))
            await asyncio.sleep(3)
            await call.hangup()
            with pytest.raises(CallEnded):
                await transfer

    run(main())


def test_wrong_order_and_wrong_addresses() -> None:
    async def main() -> None:
        async with three() as p:
            ringing = p.alice.phone.dial(p.bob.uri)
            with pytest.raises(InvalidCallState):
                await ringing.transfer(p.carol.uri)
            await ringing.answered()
            with pytest.raises(InvalidCallState):
                await ringing.transfer_to(ringing)
            with pytest.raises(InvalidAddress):
                await ringing.transfer("carol")
            assert not ringing.held
            first_one = asyncio.ensure_future(ringing.transfer(p.carol.uri))
            await asyncio.sleep(0)
            with pytest.raises(InvalidCallState):
                await ringing.transfer(p.carol.uri)
            await first_one
            with pytest.raises(CallEnded):
                await ringing.transfer(p.carol.uri)

    run(main())


def test_a_consultation_that_still_rings_becomes_a_blind_transfer() -> None:
    """RFC 5589 section 7.6."""

    async def main() -> None:
        async with three(carol_answers=False) as p:
            rung: list[Call] = []
            p.carol.phone.on("incoming_call", lambda event: rung.append(event.call))
            call = await p.connected()
            other = p.alice.phone.dial(p.carol.uri)
            await first(other, "ringing")
            transfer = asyncio.ensure_future(call.transfer_to(other))
            await asyncio.sleep(1)
            assert [one.state for one in rung] == [CallState.ENDED, CallState.RINGING]
            await rung[1].answer()
            assert (await transfer).status == 200
            assert not p.alice.live()
            assert len(p.bob.live()) == 1

    run(main())


def test_who_does_not_know_refer_is_not_asked_twice() -> None:
    """RFC 5589 section 7.4: then the other party of the consultation is asked."""

    async def main() -> None:
        async with three() as p:
            call = await p.connected()
            other = await p.alice.phone.call(p.carol.uri)

            def refuse(usage: InviteUsage, incoming: IncomingRequest) -> None:
                incoming.respond(405)

            p.bob.call.usage.core.call_handlers["REFER"] = refuse
            assert (await call.transfer_to(other)).status == 200
            await asyncio.sleep(1)
            assert not p.alice.live()
            assert len(p.bob.live()) == len(p.carol.live()) == 1
            assert p.bob.live()[0].incoming  # Carol called, and took Alice's place

    run(main())


def test_only_calls_are_made_for_others() -> None:
    async def main() -> None:
        async with three() as p:
            call = await p.connected()
            with pytest.raises(TransferFailed) as caught:
                await call.transfer(f"{p.carol.uri};method=BYE")
            assert (caught.value.status, caught.value.taken) == (501, False)

    run(main())


def test_a_stranger_may_ask_and_is_refused_unless_a_handler_accepts() -> None:
    async def main() -> None:
        async with three() as p:
            services = p.alice.phone._services()

            async def ask() -> tuple[str, int]:
                refer = services.refer_outside(p.bob.uri, p.carol.uri, from_="<sip:alice@127.0.0.1>")
                done: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()

                def take(event: object) -> None:
                    if type(event).__name__ == "ReferEnded":
                        done.set_result((event.outcome, event.status))  # type: ignore[attr-defined]

                p.alice.phone.watch(refer, take)
                return await done

            assert await ask() == ("refused", 603)
            p.bob.phone.on("transfer_requested", lambda event: event.request.accept())
            assert await ask() == ("done", 200)
            assert len(p.carol.live()) == 1

    run(main())


def test_a_call_of_ours_that_still_rings_is_replaced() -> None:
    """RFC 3891: an early dialog can be replaced at the side that called."""

    async def main() -> None:
        async with three(carol_answers=False) as p:
            p.carol.phone.on("incoming_call", lambda event: None)
            ringing = p.bob.phone.dial(p.carol.uri)
            await first(ringing, "ringing")
            replaced = first(ringing, "replaced")
            (key,) = ringing.usage.core.dialogs
            named = Replaces(*key, early_only=True)
            call = await p.alice.phone.call(
                p.bob.uri, headers=[("Replaces", str(named)), ("Require", "replaces")]
            )
            assert (await replaced).call is ringing
            assert (await ringing.ended()).status == 487
            assert call.state is CallState.ANSWERED
            assert p.bob.phone.calls == [(await replaced).successor]

    run(main())


def test_progress_is_an_event_of_the_call() -> None:
    async def main() -> None:
        async with three() as p:
            call = await p.connected()
            seen: list[TransferProgress] = []
            call.on("transfer_progress", seen.append)
            await call.transfer(p.carol.uri, hold=False)
            assert all(event.call is call for event in seen)
            assert seen[-1].status == 200

    run(main())


def test_one_transfer_of_a_call_at_a_time() -> None:
    """A far end that asks again while we call somebody for it is told to wait."""

    async def main() -> None:
        async with three(carol_answers=False) as p:
            p.carol.phone.on("incoming_call", lambda event: None)
            call = await p.connected()
            transfer = asyncio.ensure_future(call.transfer(p.carol.uri))
            await asyncio.sleep(1)
            refer = call.usage.core.services.refer(call.usage, p.carol.uri)
            refused: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()
            p.alice.phone.watch(
                refer,
                lambda event: (
                    refused.set_result((event.outcome, event.status))
                    if isinstance(event, ReferEnded)
                    else None
                ),
            )
            assert await refused == ("refused", 491)
            await p.carol.live()[0].answer()
            assert (await transfer).status == 200

    run(main())


def test_a_transferee_that_hangs_up_at_once() -> None:
    """It took the REFER, said BYE, and what it tells afterwards never comes: the transfer went its way."""

    async def main() -> None:
        async with three(carol_answers=False) as p:
            p.carol.phone.on("incoming_call", lambda event: None)
            call = await p.connected()
            transfer = asyncio.ensure_future(call.transfer(p.carol.uri))
            await asyncio.sleep(3)
            await p.bob.call.hangup()
            outcome = await transfer
            assert not outcome.known

    run(main())


def test_a_refer_that_nobody_answers() -> None:
    """A request in a call that gets no answer in 32 s says that the far end is gone (RFC 3261 s12.2.1.2)."""

    async def main() -> None:
        async with three() as p:
            call = await p.connected()
            p.bob.call.usage.core.call_handlers["REFER"] = lambda usage, incoming: None
            with pytest.raises(TransferFailed) as caught:
                await call.transfer(p.carol.uri)
            assert caught.value.status == 408
            assert call.state is CallState.ENDED

    run(main())


def test_taken_and_then_never_heard_of() -> None:
    """A transferee that takes the REFER and tells nothing has done nothing that we know of."""

    async def main() -> None:
        async with three() as p:
            call = await p.connected()

            def take(usage: InviteUsage, incoming: IncomingRequest) -> None:
                incoming.respond(202)

            p.bob.call.usage.core.call_handlers["REFER"] = take
            with pytest.raises(TransferFailed) as caught:
                await call.transfer(p.carol.uri)
            assert not caught.value.taken
            assert call.state is CallState.ANSWERED
            assert not call.held

    run(main())
