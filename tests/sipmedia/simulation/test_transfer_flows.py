"""The transfers of RFC 5589, whole phones: each SIP message lost once, and every one with 10 % loss.

Whatever is lost on the way, Bob ends up talking with Carol and Alice with nobody, and nothing is left over
when they have hung up: no call, no dialog, no transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from media import ManagerConfig
from sipmedia import Account, Call, CallState, IncomingCall, PhoneConfig, Softphone, TransferFailed
from sipmedia.simulation import Network, Simulation
from sipmedia.simulation.impairments import Datagram
from tests.thoroughness import seeds

ALICE, BOB, CAROL = "10.0.0.1", "10.0.0.2", "10.0.0.3"
MEDIA = ManagerConfig(default_audio_codecs=("PCMU",), default_ptime=60)
Drop = Callable[[Datagram], bool]


def first_line(data: bytes) -> str:
    """Method or status of a message, with its CSeq: what tells a message from its repeat, and from others."""
    head = data.partition(b"\r\n\r\n")[0].decode()
    line, *fields = head.split("\r\n")
    cseq = next(field for field in fields if field.startswith("CSeq:"))
    call_id = next(field for field in fields if field.startswith("Call-ID:"))
    return f"{line} {cseq} {call_id}"


@dataclass
class LoseOne:
    """Loses the message of that number, the first time it is sent."""

    number: int
    seen: dict[str, None] = field(default_factory=dict)

    def __call__(self, datagram: Datagram) -> bool:
        if 5060 not in (datagram.source[1], datagram.destination[1]):
            return False
        name = f"{datagram.source} {first_line(datagram.data)}"
        if name in self.seen:
            return False
        self.seen[name] = None
        return len(self.seen) - 1 == self.number


def core_is_clean(phone: Softphone) -> bool:
    core = phone._open_agent()._started()
    return not (core.calls or core.dialogs or core.services.notifiers or len(core.layer))


async def transfer(attended: bool, refused: bool = False) -> str:
    """One transfer from beginning to end; says how it went for Alice."""

    async def answer(event: IncomingCall) -> None:
        await event.call.answer()

    async with (
        Softphone(Account(f"sip:alice@{ALICE}"), bind=f"{ALICE}:5060", media=MEDIA) as alice,
        Softphone(Account(f"sip:bob@{BOB}"), bind=f"{BOB}:5060", media=MEDIA) as bob,
        Softphone(
            Account(f"sip:carol@{CAROL}"),
            bind=f"{CAROL}:5060",
            media=MEDIA,
            config=PhoneConfig(accept_transfers=not refused),
        ) as carol,
    ):
        phones = (alice, bob, carol)
        bob.on("incoming_call", answer)
        carol.on("incoming_call", answer)
        call = await alice.call(f"sip:bob@{BOB}")
        other: Call | None = None
        outcome = "transferred"
        try:
            if attended:
                await call.hold()
                other = await alice.call(f"sip:carol@{CAROL}")
                await call.transfer_to(other)
            else:
                await call.transfer(f"sip:carol@{CAROL}")
        except TransferFailed as failed:
            outcome = f"failed {failed.status}"
            assert call.state is CallState.ANSWERED
            assert not call.held or attended
            await call.hangup()
            if other is not None:
                await other.hangup()
        left = 1 if outcome == "transferred" else 0
        for _ in range(
            80
        ):  # longer than any transaction; no more of it than needed, as sound is sent all along
            if not alice.calls and len(bob.calls) == len(carol.calls) == left:
                break
            await asyncio.sleep(0.5)
        assert alice.calls == []
        assert len(bob.calls) == len(carol.calls) == left
        if bob.calls:
            assert bob.calls[0].call_id == carol.calls[0].call_id
            await bob.calls[0].hangup()
        await asyncio.sleep(80)
        assert [phone.calls for phone in phones] == [[], [], []]
        assert all(core_is_clean(phone) for phone in phones)
    return outcome


def play(
    seed: int, attended: bool, drop: Drop | None = None, loss: float = 0.0, refused: bool = False
) -> str:
    network = Network(seed=seed, delay=0.01, drop_if=drop, loss=loss)
    for address in (ALICE, BOB, CAROL):
        network.host(address)
    return Simulation(network).run(transfer(attended, refused), 1000)


def count(attended: bool) -> int:
    """How many different messages there are when nothing is lost."""
    counting = LoseOne(-1)
    assert play(1, attended, counting) == "transferred"
    return len(counting.seen)


BLIND, ATTENDED = 19, 24
"""So many messages there are; the tests below lose each, and the first makes sure that none is forgotten."""


@pytest.mark.parametrize(("attended", "expected"), [(False, BLIND), (True, ATTENDED)])
def test_a_clean_network(attended: bool, expected: int) -> None:
    assert count(attended) == expected


@pytest.mark.parametrize("number", range(BLIND))
def test_blind_each_message_lost_once(number: int) -> None:
    assert play(1, False, LoseOne(number)) == "transferred"


@pytest.mark.parametrize("number", range(ATTENDED))
def test_attended_each_message_lost_once(number: int) -> None:
    assert play(1, True, LoseOne(number)) == "transferred"


@pytest.mark.slow
@pytest.mark.parametrize("attended", [False, True])
@pytest.mark.parametrize("block", range(10))
def test_ten_percent_lost(attended: bool, block: int) -> None:
    for seed in seeds(block * 50, block * 50 + 50):
        assert play(seed, attended, loss=0.1) == "transferred", f"seed {seed}"


@pytest.mark.slow
@pytest.mark.parametrize("block", range(5))
def test_refused_with_ten_percent_lost(block: int) -> None:
    """Carol lets nobody take her call over: both calls of Alice's go on, until she hangs up."""
    for seed in seeds(block * 20, block * 20 + 20):
        assert play(seed, True, loss=0.1, refused=True) == "failed 603", f"seed {seed}"
