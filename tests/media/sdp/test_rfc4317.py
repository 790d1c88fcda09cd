"""Offers of RFC 4317 and of pjsip's test suite, and the answers they must get (shared fixtures).

Ours differ from the printed ones in ways RFC 3264 leaves open, and only in these:
- no video and no second audio line: such lines keep their place with port 0;
- of two audio lines the first with a common codec is taken (RFC 4317 section 2.4 takes both);
- the numbers of an answer are those of the offer, as RFC 3264 section 6.1 asks (2.3 renumbers);
- the version in o= starts at 1 and grows by one.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from media.codec import registry
from media.codec.base import Codec
from media.errors import NegotiationError, UnknownCodec
from media.plan import MediaDirection
from media.sdp.attributes import RtpMap, direction_of, formats_of
from media.sdp.description import MediaDescription, SessionDescription
from media.sdp.local_audio import LocalAudio
from media.sdp.negotiation import Negotiation


class NoCoder:
    """Stands for codecs we only know by name."""

    def encode(self, samples: NDArray[np.int16]) -> bytes:
        raise NotImplementedError

    def decode(self, payload: bytes | memoryview) -> NDArray[np.int16]:
        raise NotImplementedError


def codec_for(entry: RtpMap) -> Codec:
    try:
        return registry.get(entry.encoding, entry.clock_rate_hz, entry.channels)
    except UnknownCodec:
        return Codec(entry.encoding, entry.clock_rate_hz, entry.clock_rate_hz, NoCoder, NoCoder)


def capability(description: SessionDescription, *, default: tuple[str, ...] = ()) -> LocalAudio:
    """What the other party of a fixture can do: the codecs of all its audio lines."""
    lines = [line for line in description.media if line.media == "audio"]
    entries = [entry for line in lines for entry in formats_of(line)]
    connection = description.connection
    codecs = [codec_for(entry) for entry in entries if not entry.is_event]
    return LocalAudio(
        address=connection.host if connection else "192.0.2.1",
        port=next((line.port for line in lines), 4000),
        codecs=tuple(codecs or map(registry.get, default)),
        events_payload_type=101 if any(entry.is_event for entry in entries) else None,
        direction=direction_of(lines[0], description) if lines else MediaDirection.SENDRECV,
    )


def facts(media: MediaDescription, session: SessionDescription) -> Any:
    """What two equal audio lines have in common."""
    return media.media, {(e.payload_type, e.label) for e in formats_of(media)}, direction_of(media, session)


def renumbered(description: SessionDescription, old: str, new: str) -> SessionDescription:
    return SessionDescription.parse(
        str(description).replace(f"AVP {old}", f"AVP {new}").replace(f"map:{old}", f"map:{new}")
    )


def check_same(ours: SessionDescription, expected: SessionDescription, first_audio: int | None) -> None:
    assert [line.media for line in ours.media] == [line.media for line in expected.media]
    for index, (line, wanted) in enumerate(zip(ours.media, expected.media, strict=True)):
        if index == first_audio:
            assert not line.refused
            assert facts(line, ours) == facts(wanted, expected)
        else:
            assert line.refused


RFC4317 = ["2.2", "2.3", "2.4", "2.5", "2.8", "3.1", "4.2", "4.3", "5.1", "5.3"]


@pytest.mark.parametrize("section", RFC4317)
def test_rfc4317(fixtures: Path, section: str) -> None:
    """One machine answers with the printed answerer's abilities, another takes the printed answer."""
    folder = fixtures / "sdp" / "rfc4317"
    answerer, offerer = Negotiation(1), Negotiation(2)
    rounds = [suffix for suffix in ("", "-2") if (folder / f"{section}-offer{suffix}.sdp").exists()]
    for suffix in rounds:
        offer = SessionDescription.parse((folder / f"{section}-offer{suffix}.sdp").read_bytes())
        expected = SessionDescription.parse((folder / f"{section}-answer{suffix}.sdp").read_bytes())
        if not offer.media:  # 5.1 begins with an offer of nothing
            answerer.set_remote_offer(offer)
            assert answerer.create_answer(capability(expected, default=("PCMU",))).media == ()
            continue
        if section == "2.3":
            expected = renumbered(expected, "99", "97")
        local = capability(expected)
        answerer.set_remote_offer(offer)
        answer = answerer.create_answer(local)
        index = answerer.audio.index if answerer.audio else None
        if section == "2.4":  # telephone-event on a line of its own is left out
            index = 0
        check_same(answer, expected, index)
        ours = offerer.create_offer(capability(offer))
        place = next(i for i, line in enumerate(ours.media) if not line.refused)
        audio = [line for line in expected.media if line.media == "audio" and not line.refused]
        padding = [line for i, line in enumerate(ours.media) if i < place]
        if not audio:
            continue
        offerer.set_remote_answer(expected.with_media([*padding, audio[0]]))
        assert offerer.audio is not None
        assert offerer.audio.send_codec.name == formats_of(audio[0])[0].encoding


def test_cases_with_answers(fixtures: Path) -> None:
    """Remote offers of pjsip's own negotiator tests (cases.json) get the answers expected there."""
    cases = json.loads((fixtures / "sdp" / "offer_answer" / "cases.json").read_text())
    answered = 0
    for case in cases:
        machine = Negotiation(1)
        local: LocalAudio | None = None
        for step in case["steps"]:
            if step["type"] != "REMOTE_OFFER":
                continue
            if step["local_capability"]:
                text = step["local_capability"]
                local = capability(SessionDescription.parse(text))
            assert local is not None
            wishes = LocalAudio(
                address=local.address,
                port=local.port,
                codecs=local.codecs,
                events_payload_type=local.events_payload_type,
                one_codec=not step["answer_multiple_codecs"],
            )
            machine.set_remote_offer(SessionDescription.parse(step["remote_offer"]))
            answer = machine.create_answer(wishes)
            assert machine.audio is not None
            check_same(answer, SessionDescription.parse(step["expected_local_answer"]), machine.audio.index)
            answered += 1
    assert answered >= 6


def test_cases_with_offers(fixtures: Path) -> None:
    """Remote answers there settle what is expected, as far as one audio line goes."""
    cases = json.loads((fixtures / "sdp" / "offer_answer" / "cases.json").read_text())
    settled = 0
    for case in cases:
        machine = Negotiation(1)
        for step in case["steps"]:
            if step["type"] != "LOCAL_OFFER":
                continue
            offered = SessionDescription.parse(step["local_offer"])
            answer = SessionDescription.parse(step["remote_answer"])
            expected = SessionDescription.parse(step["expected_local_active"])
            if machine.local is not None:
                continue  # the second rounds move lines about, which we never do
            machine.create_offer(capability(offered))
            machine.set_remote_answer(answer.with_media(answer.media[:1]))
            assert machine.audio is not None
            wanted = expected.media[0]
            assert machine.audio.send_codec.name == formats_of(wanted)[0].encoding
            assert machine.audio.direction is direction_of(wanted, expected)
            settled += 1
    assert settled >= 6


def test_offers_of_browsers_are_refused_with_reason(fixtures: Path) -> None:
    """All of them want SRTP by DTLS or SDES; none gets plain RTP."""
    local = LocalAudio("192.0.2.1", 4000, (registry.get("PCMU"), registry.get("PCMA")))
    secure = 0
    for folder in ("aiortc", "mozilla_webrtc_sdp", "ex_sdp", "sdp-transform", "pjsip_fuzz"):
        for path in sorted((fixtures / "sdp" / folder).iterdir()):
            if path.name == "SOURCE":
                continue
            offer = SessionDescription.parse(path.read_bytes())
            machine = Negotiation(1)
            machine.set_remote_offer(offer)
            try:
                answer = machine.create_answer(local)
            except NegotiationError:
                secure += any("SAVP" in line.protocol for line in offer.media)
                continue
            assert len(answer.media) == len(offer.media)
            assert not any("SAVP" in line.protocol and not line.refused for line in answer.media)
            assert machine.audio is None or machine.audio.direction in MediaDirection
    assert secure > 10
