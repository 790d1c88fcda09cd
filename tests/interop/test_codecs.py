"""Sound and keys, both ways at once, in each codec: with baresip and with sipp, whoever calls.

One test is one call in each of the four codecs, all at the same time; what fails names its codec.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from media.codec import get, libopus
from media.errors import CodecUnavailable
from sipmedia import Call, Dtmf, PhoneConfig
from tests.interop.conftest import require
from tests.interop.harness import ours, rtp, sound
from tests.interop.harness import scenario as s
from tests.interop.harness.baresip import Baresip
from tests.interop.harness.parties import Party
from tests.interop.harness.sipp import Sipp
from tests.interop.harness.sound import Samples

pytestmark = pytest.mark.interop

TALK_S = 4.5
OUR_KEYS, THEIR_KEYS = "159*0#", "7#D"


@dataclass(frozen=True)
class Case:
    """A codec: its name here, how sipp describes it, which modules of baresip have it."""

    name: str
    payload_type: int
    described: str
    rate_hz: int
    clock_hz: int
    modules: tuple[str, ...]

    def payloads(self, samples: Samples) -> list[bytes]:
        """Packets of 20 ms; G.711's by the harness's own tables, the others by ours."""
        block = self.rate_hz // 50
        blocks = [samples[i : i + block] for i in range(0, len(samples) - block + 1, block)]
        if self.name in ("PCMU", "PCMA"):
            encode = sound.mu_law if self.name == "PCMU" else sound.a_law
            return [encode(part) for part in blocks]
        encoder = get(self.name).make_encoder()
        return [encoder.encode(part) for part in blocks]

    def sdp(self) -> str:
        """sipp's description: this codec, and keys at its clock."""
        codecs = [f"{self.payload_type} {self.described}", f"101 telephone-event/{self.clock_hz}"]
        return s.sdp(codecs=codecs).replace("[rtpstream_audio_port]", "[media_port]")


CASES = (
    Case("PCMU", 0, "PCMU/8000", 8000, 8000, ("g711",)),
    Case("PCMA", 8, "PCMA/8000", 8000, 8000, ("g711",)),
    Case("G722", 9, "G722/8000", 16000, 8000, ("g722",)),
    Case("opus", 96, "opus/48000/2", 48000, 48000, ("opus", "auresamp")),
)

Step = Callable[[Case, Party, Party, Path], Awaitable[None]]


def in_each_codec(addresses: Iterator[Party], folder: Path, step: Step) -> None:
    """Run `step` with each codec, all at once, and fail with what went wrong in which."""
    try:
        libopus.load()
    except CodecUnavailable as error:
        require(f"libopus0 ({error})", False)

    async def main() -> None:
        steps = []
        for case in CASES:
            (folder / case.name).mkdir()
            steps.append(step(case, next(addresses), next(addresses), folder / case.name))
        outcomes = await asyncio.gather(*steps, return_exceptions=True)
        failures = [
            f"{case.name}: {type(outcome).__name__}: {outcome}"
            for case, outcome in zip(CASES, outcomes, strict=True)
            if outcome is not None
        ]
        assert not failures, "\n".join(failures)

    ours.run(main())


class Talk:
    """One call of ours: plays `mine`, presses our keys, records; `keys` are the far end's."""

    def __init__(self, call: Call, case: Case, folder: Path, mine: Samples) -> None:
        self.call = call
        self.keys = ""
        self._case = case
        self._mine = mine
        self._recording_path = folder / "ours.wav"
        call.on("dtmf", self._on_key)

    async def go_on(self) -> None:
        """Talk, then hang up."""
        call = self.call
        assert (call.codec or "").lower() == self._case.name.lower()
        recording = call.record(self._recording_path)
        call.play(self._mine, sample_rate_hz=self._case.rate_hz)
        await asyncio.sleep(0.3)
        await asyncio.gather(call.send_dtmf(OUR_KEYS), asyncio.sleep(TALK_S))
        await call.hangup()
        await recording.stop()

    def assert_heard(self, theirs: Samples) -> None:
        heard = ours.heard(self._recording_path)
        sound.assert_heard(heard, theirs, at_least_s=2, rate_hz=self._case.rate_hz)

    def _on_key(self, event: Dtmf) -> None:
        assert event.method == "rfc4733"
        self.keys += event.digit


def tunes(case: Case) -> tuple[Samples, Samples]:
    """Ours and theirs."""
    return sound.tune(41, 8.0, case.rate_hz), sound.tune(42, 20.0, case.rate_hz)


async def talk_with_baresip(call: Call, case: Case, folder: Path, baresip: Baresip) -> None:
    """Sound and keys both ways, checked at both ends."""
    mine, theirs = tunes(case)
    talk = Talk(call, case, folder, mine)

    def press() -> list[object]:
        with baresip.control() as control:
            baresip.wait_for("established")  # a key that is pressed before goes nowhere
            for key in THEIR_KEYS:
                control.command("sndcode", key)
                time.sleep(0.35)
            return [e["param"] for e in control.wait_for("CALL_DTMF_START", len(OUR_KEYS))]

    pressed = asyncio.create_task(asyncio.to_thread(press))
    await talk.go_on()
    assert await pressed == list(OUR_KEYS)
    assert talk.keys == THEIR_KEYS
    talk.assert_heard(theirs)
    await asyncio.to_thread(baresip.stop)
    sound.assert_heard(baresip.heard(), mine, at_least_s=2, rate_hz=case.rate_hz)


@pytest.mark.usefixtures("baresip")
def test_we_call_baresip(addresses: Iterator[Party], folder: Path) -> None:
    async def step(case: Case, us: Party, peer: Party, place: Path) -> None:
        theirs = tunes(case)[1]
        with Baresip(peer, place / "peer", theirs, rate_hz=case.rate_hz, codecs=case.modules) as baresip:
            await asyncio.to_thread(baresip.wait_ready)
            async with ours.phone(us, config=PhoneConfig(codecs=(case.name,))) as phone:
                call = await phone.softphone.call(peer.uri("bob"))
                await talk_with_baresip(call, case, place, baresip)

    in_each_codec(addresses, folder, step)


@pytest.mark.usefixtures("baresip")
def test_baresip_calls_us(addresses: Iterator[Party], folder: Path) -> None:
    async def step(case: Case, us: Party, peer: Party, place: Path) -> None:
        answered: asyncio.Future[Call] = asyncio.get_running_loop().create_future()

        async def answer(call: Call) -> None:
            await call.answer()
            answered.set_result(call)

        theirs = tunes(case)[1]
        rate_hz, modules, us_uri = case.rate_hz, case.modules, us.uri("bob")
        async with ours.phone(us, answer, config=PhoneConfig(codecs=(case.name,))):
            with Baresip(
                peer, place / "peer", theirs, rate_hz=rate_hz, codecs=modules, dial=us_uri
            ) as baresip:
                await talk_with_baresip(await asyncio.wait_for(answered, 10), case, place, baresip)

    in_each_codec(addresses, folder, step)


@pytest.mark.usefixtures("sipp")
def test_sipp_calls_us(addresses: Iterator[Party], folder: Path) -> None:
    """It sends packets that we prepared: sound in the codec, and keys in the middle of it."""
    if not rtp.may_send_raw():
        pytest.skip("sipp may not open the raw socket from which it sends packets of a file (run as root)")

    async def step(case: Case, us: Party, peer: Party, place: Path) -> None:
        theirs = tunes(case)[1][: round(TALK_S * case.rate_hz)]
        packets = case.payloads(theirs)
        rtp.write_pcap(place / "sound.pcap", packets, case.payload_type, case.clock_hz, keys=THEIR_KEYS)
        plays = s.scenario(
            "plays packets",
            s.invite(case.sdp()),
            s.expect(100, optional=True),
            s.expect(180, optional=True),
            s.expect(200),
            s.ack(),
            s.play_packets("sound.pcap"),
            s.pause(round(TALK_S * 1000)),
            s.bye(),
            s.expect(200),
        )
        keys: list[str] = []
        path = place / "ours.wav"

        async def answer(call: Call) -> None:
            call.on("dtmf", lambda event: keys.append(event.digit))
            await call.answer()
            call.record(path)

        async with ours.phone(us, answer, config=PhoneConfig(codecs=(case.name,))):
            with Sipp(peer, place, plays, target=us.bind) as sipp:
                await asyncio.to_thread(sipp.assert_passed)
        assert keys == list(THEIR_KEYS)
        sound.assert_heard(ours.heard(path), theirs, at_least_s=2, rate_hz=case.rate_hz)

    in_each_codec(addresses, folder, step)


@pytest.mark.usefixtures("sipp")
def test_we_call_sipp(addresses: Iterator[Party], folder: Path) -> None:
    """It sends back each packet it gets, so that what comes tells what it was sent, keys too."""

    async def step(case: Case, us: Party, peer: Party, place: Path) -> None:
        echoes = s.scenario(
            "echoes",
            s.expect_request("INVITE"),
            s.respond(200, "OK", case.sdp(), again=True),
            s.expect_request("ACK"),
            s.expect_request("BYE"),
            s.respond_inside(200, "OK"),
        )
        mine = tunes(case)[0]
        with Sipp(peer, place, echoes, options=["-rtp_echo"]) as sipp:
            async with ours.phone(us, config=PhoneConfig(codecs=(case.name,))) as phone:
                talk = Talk(await phone.softphone.call(peer.uri("sipp")), case, place, mine)
                await talk.go_on()
            await asyncio.to_thread(sipp.assert_passed)
        assert talk.keys == OUR_KEYS
        talk.assert_heard(mine)

    in_each_codec(addresses, folder, step)
