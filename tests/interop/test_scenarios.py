"""Scenarios that others wrote for their own phones, run against ours.

They stay where they are (`../shared/fixtures/sipp`, see the `fixtures` fixture). pjsip's catalogue says
which of its scenarios need nothing but a phone that answers (class A); sipp's own "uac" and "uas" are the
plainest calls there are. A scenario whose expectation we do not meet is a strict xfail with the reason.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipmedia import Call
from tests.interop.harness import ours
from tests.interop.harness.parties import Party
from tests.interop.harness.sipp import Sipp

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("sipp")]

SRTP = "offers RTP/SAVP only, which is refused with 488 until there is SRTP"
PJSIP_CODES = (
    "wants 500 for a re-offer of PCMA, which pjsip's driver has switched off; we have PCMA, and a re-offer "
    "that cannot be met gets 488 (RFC 3261 s14.2)"
)
XFAIL = {
    "regexp.xml": "wants letters or digits for the user name in o=; ours is '-' (RFC 8866 s5.2)",
    "alt-pjsua-uas-custom-sdp.xml": "wants H.263 video in the answer; we refuse video with port 0",
    "uac-srtp-dtls-lower-prio.xml": SRTP,
    "uac-srtp-dtls.xml": SRTP,
    "uac-srtp-sdes-reinv-dtls.xml": SRTP,
    "uac-srtp-sdes-reinv-hold.xml": SRTP,
    "uac-srtp-sdes.xml": SRTP,
    "uac-ticket-1864-scenario2.xml": PJSIP_CODES,
    "uac-ticket-1866-reinv-after-failed-nego.xml": PJSIP_CODES,
}
CLASS_A = (
    "alt-pjsua-uas-custom-sdp.xml",
    "uac-183-wrong-codec.xml",
    "uac-bad-ack.xml",
    "uac-inv-and-ack-without-sdp.xml",
    "uac-inv-multiple-require.xml",
    "uac-options.xml",
    "uac-reinvite-port-0-bad-sdp.xml",
    "uac-srtp-dtls-lower-prio.xml",
    "uac-srtp-dtls.xml",
    "uac-srtp-sdes-reinv-dtls.xml",
    "uac-srtp-sdes-reinv-hold.xml",
    "uac-srtp-sdes.xml",
    "uac-ticket-1864-scenario2.xml",
    "uac-ticket-1866-reinv-after-failed-nego.xml",
)


def marked(name: str) -> object:
    """The scenario as a test parameter, with its strict xfail when it has one."""
    marks = [pytest.mark.xfail(strict=True, reason=XFAIL[name])] if name in XFAIL else []
    return pytest.param(name, marks=marks, id=name.removesuffix(".xml"))


def test_the_list_is_the_catalogue_s(scenarios: Path) -> None:
    """A scenario of class A that nobody listed here would never be run."""
    catalogue = json.loads((scenarios / "pjsip" / "CATALOG.json").read_text())
    assert {entry["file"] for entry in catalogue if entry["class"] == "A"} <= set(CLASS_A)


async def answer_and_end(call: Call) -> None:
    """Answer; one scenario waits for our BYE, the others end the call long before."""
    await call.answer()
    await asyncio.sleep(6)
    await call.hangup()


@pytest.mark.parametrize("name", [marked(name) for name in CLASS_A])
def test_pjsip_scenario(scenarios: Path, addresses: Iterator[Party], folder: Path, name: str) -> None:
    us, peer = next(addresses), next(addresses)

    async def main() -> None:
        async with ours.phone(us, answer_and_end):
            with Sipp(peer, folder, scenarios / "pjsip" / name, target=us.bind, timeout_s=12) as sipp:
                await asyncio.to_thread(sipp.assert_passed)

    ours.run(main())


@pytest.mark.parametrize("name", [marked("uac.xml"), marked("regexp.xml")])
def test_sipp_s_own_caller(scenarios: Path, addresses: Iterator[Party], folder: Path, name: str) -> None:
    us, peer = next(addresses), next(addresses)

    async def main() -> None:
        async with ours.phone(us):
            file = scenarios / "sipp_builtin" / name
            with Sipp(peer, folder, file, target=us.bind, calls=3) as sipp:
                await asyncio.to_thread(sipp.assert_passed)

    ours.run(main())


@pytest.mark.parametrize("name", ["uas", "3pcc-B"])
def test_sipp_s_own_callee(scenarios: Path, addresses: Iterator[Party], folder: Path, name: str) -> None:
    us, peer = next(addresses), next(addresses)

    async def main() -> None:
        with Sipp(peer, folder, scenarios / "sipp_builtin" / f"{name}.xml") as sipp:
            async with ours.phone(us) as phone:
                call = await phone.softphone.call(peer.uri("sipp"))
                await asyncio.sleep(0.3)
                await call.hangup()
                await asyncio.to_thread(sipp.assert_passed)

    ours.run(main())
