"""Scenarios of others in which our phone has something to do: call, hold, cancel, ring, send early media.

As in test_scenarios.py they stay where they are. Each is listed with what our phone does in it and how it
ends; one that we do not pass says why not, and fails when it is passed after all. They mostly wait, so those
of one folder run side by side.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from media import SessionConstraints
from sipmedia import Account, Call, PhoneConfig, SipMediaError
from tests.interop.harness import ours
from tests.interop.harness.parties import Party
from tests.interop.harness.sipp import Sipp

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("sipp")]

Act = Callable[[ours.Phone, str], Awaitable[None]]
"""What the phone does, given the peer's URI, where it calls."""

Answer = Callable[[Call], Awaitable[None]]
"""What it does with a call that comes in."""


class Outcome(NamedTuple):
    """What our phone does in a scenario, and why it is not passed ("" when it is)."""

    act: Act | Answer | None
    why_not: str = ""
    loses_by_chance: bool = False
    """The scenario drops every other message itself, and does not always get over it: it is tried again."""


# What we do when we call.


async def wait(phone: ours.Phone, uri: str) -> None:
    await phone.softphone.dial(uri).ended()


async def give_up(phone: ours.Phone, uri: str) -> None:
    call = phone.softphone.dial(uri)
    await asyncio.sleep(1)
    await call.hangup()


async def talk(phone: ours.Phone, uri: str) -> None:
    call = await phone.softphone.call(uri)
    await asyncio.sleep(1.5)
    await call.hangup()


async def hold(phone: ours.Phone, uri: str) -> None:
    call = await phone.softphone.call(uri)
    await asyncio.sleep(0.3)
    await call.hold()
    await call.ended()


async def hold_later(phone: ours.Phone, uri: str) -> None:
    call = await phone.softphone.call(uri)
    await asyncio.sleep(3)
    await call.hold()
    await call.ended()


async def update(phone: ours.Phone, uri: str) -> None:
    call = await phone.softphone.call(uri)
    await asyncio.sleep(0.3)
    assert call.session is not None
    call.usage.update(call.session.create_offer().encode())
    await call.ended()


async def narrow(phone: ours.Phone, uri: str) -> None:
    """Of the codecs in the answer one is chosen by another offer (RFC 3264 s10.2)."""
    call = await phone.softphone.call(uri)
    assert call.codec == "PCMU"
    await call.use_codecs(call.codec)
    await call.ended()


async def narrow_by_update(phone: ours.Phone, uri: str) -> None:
    call = await phone.softphone.call(uri)
    assert call.session is not None
    offer = call.session.create_offer(SessionConstraints(audio_codecs=("PCMU",)))
    call.usage.update(offer.encode())
    await call.ended()


async def register(phone: ours.Phone, uri: str) -> None:
    await phone.softphone.register()


# What we do when we are called. All of these callers want to see a 100 first, so that we are slow.


async def answer(call: Call) -> None:
    await asyncio.sleep(0.4)
    await call.answer()


async def ring_and_answer(call: Call) -> None:
    await asyncio.sleep(0.4)
    call.ring()
    await answer(call)


async def answer_and_end(call: Call) -> None:
    await answer(call)
    await asyncio.sleep(2.5)
    await call.hangup()


async def answer_and_hold(call: Call) -> None:
    await answer(call)
    await call.hold()


async def early_media(call: Call) -> None:
    await asyncio.sleep(0.4)
    call.progress()


async def early_media_and_answer(call: Call) -> None:
    call.progress()
    await asyncio.sleep(1)
    await call.answer()


async def ring(call: Call) -> None:
    await asyncio.sleep(0.4)
    call.ring()


async def busy(call: Call) -> None:
    await asyncio.sleep(0.4)
    call.reject(486)


OWN_HEADER = "wants a header of its author's own test application"
SAVP = "offers RTP/SAVPF only, refused with 488 until there is SRTP"

PJSIP: dict[str, Outcome] = {
    # class B
    "uas-answer-180-multiple-fmts-support-update.xml": Outcome(
        wait, "wants another offer while the answer to the first is not binding (RFC 3261 s13.2.1)"
    ),
    "uas-answer-183-without-to-tag.xml": Outcome(wait),
    "uas-answer-183-wrong-media.xml": Outcome(give_up),
    "uas-answer-200-multiple-fmts-support-update.xml": Outcome(narrow_by_update),
    "uas-answer-200-multiple-fmts.xml": Outcome(narrow),
    "uas-auth-two-algo.xml": Outcome(register),
    "uas-auth.xml": Outcome(register),
    "uas-cancel-no-final.xml": Outcome(give_up),
    "uas-early-bye.xml": Outcome(wait),
    "uas-inv-answered-with-srtp.xml": Outcome(wait),
    "uas-inv_401_retry_after_100.xml": Outcome(wait),
    "uas-mwi-0.xml": Outcome(None, "run by test_subscription_scenarios.py, and passed"),
    "uas-prack_fork.xml": Outcome(wait),
    "uas-reinv-and-ack-same-branch-without-sdp.xml": Outcome(wait),
    "uas-timer-reinvite.xml": Outcome(wait),
    "uas-timer-update.xml": Outcome(wait),
    # class C
    "strict-route.xml": Outcome(talk),
    "uas-answer-200-reinvite-without-sdp.xml": Outcome(hold),
    "uas-answer-200-update-without-sdp.xml": Outcome(update),
    "uas-answer-200-without-to-tag.xml": Outcome(update),
    "uas-keep-call-on-tsx-fail.xml": Outcome(hold),
    "uas-reinv-glare.xml": Outcome(update),
    "uas-reinv-with-less-media.xml": Outcome(hold_later),
}
PJSIP_CALLS: dict[str, Outcome] = {
    "uac-early-recv-update-481.xml": Outcome(
        early_media_and_answer, "wants an UPDATE after an unreliable 183"
    ),
    "uac-prack-sdp-decline.xml": Outcome(
        early_media_and_answer, "wants the call refused for an offer in PRACK"
    ),
    "uac-prack-sdp-offer.xml": Outcome(early_media_and_answer),
    "uac-ticket-1148.xml": Outcome(answer_and_hold),
}
DRACHTIO_SERVER_CALLS: dict[str, Outcome] = {
    "uac.xml": Outcome(answer),
    "uac-cancel.xml": Outcome(early_media),
    "uac-drop-200-then-cancel.xml": Outcome(
        answer, "wants 481 for a CANCEL after the 200, which is 200 (s9.2)"
    ),
    "uac-drop-one-200.xml": Outcome(answer, loses_by_chance=True),
    "uac-expect-486.xml": Outcome(busy),
    "uac-forking.xml": Outcome(answer, "its own proxy forks: it waits for a header of that"),
    "uac-long-sdp.xml": Outcome(answer, SAVP),
    "uac-long-uri.xml": Outcome(answer, SAVP),
    "uac-options-expect-200.xml": Outcome(answer),
    "uac-outbound-3031.xml": Outcome(answer),
    "uac-overlapping.xml": Outcome(answer),
    "uac-recv-bye.xml": Outcome(answer_and_end),
    "uac-reinvite-bye-race.xml": Outcome(
        ring_and_answer, "wants 100 to a re-INVITE that is answered at once"
    ),
    "uac-send-reinvite-no-sdp.xml": Outcome(answer_and_end),
    "uac-session-expires-no-refresher-default.xml": Outcome(answer),
    "uac-session-expires.xml": Outcome(answer_and_end),
    "uac-utf8.xml": Outcome(answer),
    "uac_blue.xml": Outcome(answer, OWN_HEADER),
    "uac_red.xml": Outcome(answer, OWN_HEADER),
}
DRACHTIO_SERVER: dict[str, Outcome] = {
    "uas-183-180-200.xml": Outcome(talk),
    "uas-183-send-update.xml": Outcome(talk, "answers the INVITE with Via and CSeq of its own UPDATE"),
    "uas-ackbye.xml": Outcome(give_up),
    "uas-bad-bye.xml": Outcome(wait, "wants 481 for a BYE in an early dialog, which is 200 (s15.1.2)"),
    "uas-cancel.xml": Outcome(give_up),
    "uas-drop-one-200.xml": Outcome(talk, loses_by_chance=True),
    "uas-fail-480.xml": Outcome(wait, OWN_HEADER),
    "uas-invite-delay.xml": Outcome(talk),
    "uas-reinvite-bye.xml": Outcome(wait, "wants 100 to a re-INVITE that is answered at once"),
    "uas-success.xml": Outcome(talk),
}
DRACHTIO_SRF_CALLS: dict[str, Outcome] = {
    "uac.xml": Outcome(answer),
    "uac-cancel.xml": Outcome(ring),
    "uac-delayed-ack.xml": Outcome(answer_and_hold),
    "uac-displayname-from.xml": Outcome(answer),
    "uac-drop-one-200.xml": Outcome(answer, loses_by_chance=True),
    "uac-proxy.xml": Outcome(answer),
}
DRACHTIO_SRF: dict[str, Outcome] = {
    "uas.xml": Outcome(talk),
    "uas-200-ok-no-contact-cancel.xml": Outcome(give_up, "wants no ACK for its 200, as it has no Contact"),
    "uas-302.xml": Outcome(wait),
    "uas-404.xml": Outcome(wait),
    "uas-407-no-auth-header.xml": Outcome(talk, "wants an answer to a 407 that holds no challenge"),
    "uas-auth.xml": Outcome(talk),
    "uas-cancel.xml": Outcome(give_up),
}


ALL = (PJSIP, PJSIP_CALLS, DRACHTIO_SERVER, DRACHTIO_SERVER_CALLS, DRACHTIO_SRF, DRACHTIO_SRF_CALLS)


def test_the_lists_are_the_catalogue_s(scenarios: Path) -> None:
    """Every scenario of class B is listed with its outcome, and nothing that is not there."""
    catalogue = json.loads((scenarios / "pjsip" / "CATALOG.json").read_text())
    assert {entry["file"] for entry in catalogue if entry["class"] == "B"} <= set(PJSIP)
    assert {*PJSIP, *PJSIP_CALLS} <= {entry["file"] for entry in catalogue if entry["class"] in "BC"}


def test_the_page_of_the_docs_says_the_same() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "scenarios.md").read_text()
    for outcomes in ALL:
        for name, (act, why_not, _) in outcomes.items():
            said = ("not passed: " if act is not None else "") + why_not if why_not else "passed"
            assert f"| `{name}` | {said} |" in page


async def verdict(sipp: Sipp) -> str:
    """What sipp says when it is done: "" if all went as it wanted."""
    try:
        await asyncio.to_thread(sipp.assert_passed)
    except AssertionError as error:
        return str(error)
    return ""


async def calling(file: Path, us: Party, peer: Party, folder: Path, act: Act, timeout_s: int) -> str:
    """Our phone calls a sipp that answers by the scenario."""
    account = Account(us.uri("bob"), password="secret", registrar=peer.bind)
    async with ours.phone(us, account=account) as phone:
        with Sipp(peer, folder, file, timeout_s=timeout_s) as sipp:
            doing = asyncio.ensure_future(act(phone, peer.uri("sipp")))
            found = await verdict(sipp)
            doing.cancel()
            try:
                await doing
            except (asyncio.CancelledError, SipMediaError):
                pass
            return found


async def called(file: Path, us: Party, peer: Party, folder: Path, act: Answer, timeout_s: int) -> str:
    """Our phone is called by sipp; it does not ring unless the act says so."""

    async def take(call: Call) -> None:
        try:
            await act(call)
        except SipMediaError:  # the caller was quicker
            pass

    async with ours.phone(us, take, config=PhoneConfig(automatic_ringing=False)):
        with Sipp(peer, folder, file, target=us.bind, timeout_s=timeout_s) as sipp:
            return await verdict(sipp)


def check(
    folder: Path,
    scenarios: Path,
    addresses: Iterator[Party],
    outcomes: Mapping[str, Outcome],
    play: Callable[[Path, Party, Party, Path, Callable[..., Awaitable[None]], int], Awaitable[str]],
    timeout_s: int = 12,
) -> None:
    """Play all that our phone can act in, side by side, and compare with what is listed."""
    acts = {name: outcome.act for name, outcome in outcomes.items() if outcome.act is not None}
    parties = {name: (next(addresses), next(addresses)) for name in acts}

    async def main() -> None:
        async def outcome_of(name: str, act: Callable[..., Awaitable[None]]) -> str:
            began = time.monotonic()
            while True:
                why = await play(scenarios / name, *parties[name], folder / name, act, timeout_s)
                if not why or not outcomes[name].loses_by_chance or time.monotonic() - began > 40:
                    return why

        found = await asyncio.gather(*(outcome_of(name, act) for name, act in acts.items()))
        surprises = []
        for (name, outcome), why in zip(((n, outcomes[n]) for n in acts), found, strict=True):
            if bool(why) != bool(outcome.why_not):
                surprises.append(f"{name}: {why or 'passed, though listed as: ' + outcome.why_not}")
        assert not surprises, "\n\n".join(surprises)

    ours.run(main(), 2 * timeout_s + 50)


def test_pjsip_is_called(scenarios: Path, addresses: Iterator[Party], folder: Path) -> None:
    """Two of these wait for a refresh of the session, 45 s after the answer."""
    check(folder, scenarios / "pjsip", addresses, PJSIP, calling, 65)


def test_pjsip_calls(scenarios: Path, addresses: Iterator[Party], folder: Path) -> None:
    check(folder, scenarios / "pjsip", addresses, PJSIP_CALLS, called)


def test_drachtio_server_is_called(scenarios: Path, addresses: Iterator[Party], folder: Path) -> None:
    check(folder, scenarios / "drachtio_server", addresses, DRACHTIO_SERVER, calling, 20)


def test_drachtio_server_calls(scenarios: Path, addresses: Iterator[Party], folder: Path) -> None:
    check(folder, scenarios / "drachtio_server", addresses, DRACHTIO_SERVER_CALLS, called, 25)


def test_drachtio_srf_is_called(scenarios: Path, addresses: Iterator[Party], folder: Path) -> None:
    check(folder, scenarios / "drachtio_srf", addresses, DRACHTIO_SRF, calling, 20)


def test_drachtio_srf_calls(scenarios: Path, addresses: Iterator[Party], folder: Path) -> None:
    check(folder, scenarios / "drachtio_srf", addresses, DRACHTIO_SRF_CALLS, called, 30)
