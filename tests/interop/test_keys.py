"""Keys by SIP INFO to baresip and from sipp, and keys in the sound of baresip."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from media.audio.tones import dtmf_key
from sipmedia import Call, Dtmf, PhoneConfig
from tests.interop.harness import ours, sound
from tests.interop.harness import scenario as s
from tests.interop.harness.baresip import Baresip
from tests.interop.harness.parties import Party
from tests.interop.harness.sipp import Sipp

pytestmark = pytest.mark.interop

THEIRS = sound.tune(31, 12.0)


@pytest.mark.usefixtures("baresip")
def test_our_info_is_keys_to_baresip(addresses: Iterator[Party], folder: Path) -> None:
    us, peer = next(addresses), next(addresses)

    async def main() -> None:
        async with ours.phone(us) as phone:
            call = await phone.softphone.call(peer.uri("bob"))
            assert "INFO" in call.usage.peer_allows
            with baresip.control() as control:
                await call.send_dtmf("15#", 120, method="info")
                keys = await asyncio.to_thread(control.wait_for, "CALL_DTMF_START", 3)
            await call.hangup()
            assert [event["param"] for event in keys] == list("15#")

    with Baresip(peer, folder / "baresip", THEIRS) as baresip:
        baresip.wait_ready()
        ours.run(main())


@pytest.mark.usefixtures("sipp")
def test_info_of_sipp_is_keys_to_us(addresses: Iterator[Party], folder: Path) -> None:
    us, peer = next(addresses), next(addresses)
    bodies = [
        ("application/dtmf-relay", "Signal=1\nDuration=160\n"),
        ("application/dtmf-relay", "Signal= *\nDuration= 250\n"),
        ("application/dtmf", "7"),
        ("application/vnd.unknown", "hello"),
        ("application/dtmf-relay", "Signal=11\n"),
    ]
    infos = [
        step for i, (kind, body) in enumerate(bodies) for step in (s.info(2 + i, kind, body), s.expect(200))
    ]
    scenario = s.scenario(
        "keys by INFO",
        s.invite(),
        s.expect(100, optional=True),
        s.expect(180, optional=True),
        s.expect(200),
        s.ack(),
        *infos,
        s.bye(9),
        s.expect(200),
    )
    keys: list[tuple[str, int, str]] = []

    async def answer(call: Call) -> None:
        def on_key(event: Dtmf) -> None:
            keys.append((event.digit, event.duration_ms, event.method))

        call.on("dtmf", on_key)
        await call.answer()

    async def main() -> None:
        async with ours.phone(us, answer):
            with Sipp(peer, folder, scenario, target=us.bind) as sipp:
                await asyncio.to_thread(sipp.assert_passed)

    ours.run(main())
    assert keys == [("1", 160, "info"), ("*", 250, "info"), ("7", 100, "info"), ("#", 100, "info")]


@pytest.mark.usefixtures("baresip")
def test_keys_in_the_sound_of_baresip_are_heard(addresses: Iterator[Party], folder: Path) -> None:
    """It plays a recording with keys in it, by way of a codec and its own pacing."""
    us, peer = next(addresses), next(addresses)
    keys: list[tuple[str, str]] = []
    pause = np.zeros(800, np.int16)
    played = np.concatenate(
        [np.zeros(8000, np.int16)]
        + [part for key in "1590*#AD" for part in (dtmf_key(key, 8000, 0.08), pause)]
    )

    async def answer(call: Call) -> None:
        def on_key(event: Dtmf) -> None:
            keys.append((event.digit, event.method))

        call.on("dtmf", on_key)
        await call.answer()

    async def main() -> None:
        async with ours.phone(us, answer, config=PhoneConfig(inband_dtmf="always")) as phone:
            with Baresip(peer, folder / "baresip", played, dial=us.uri("bob")) as baresip:
                await asyncio.to_thread(baresip.wait_for, "established")
                await asyncio.sleep(3.5)
                await phone.calls[0].hangup()

    ours.run(main())
    assert keys == [(key, "inband") for key in "1590*#AD"]
