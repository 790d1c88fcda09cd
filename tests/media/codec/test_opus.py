"""Opus: what is encoded comes back, losses are filled, parameters are obeyed, garbage is refused."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.codec import ConcealingDecoder, LossAwareEncoder, get, libopus
from media.codec.opus import OpusDecoder, OpusEncoder, OpusParameters, OpusSettings, announces_silence, opus
from media.errors import CodecError, CodecUnavailable
from media.frame import Samples

try:
    libopus.load()
except CodecUnavailable as missing:
    pytest.skip(str(missing), allow_module_level=True)

PEER = OpusParameters(inband_fec=True)


def voice(seconds: float, rate: int = 48000) -> Samples:
    """Harmonics of a gliding pitch in syllables: enough like speech for the speech half of Opus."""
    t = np.arange(int(seconds * rate)) / rate
    phase = 2 * np.pi * (230 * t + 8 * np.sin(2 * np.pi * 1.3 * t))
    sound = sum(np.sin(n * phase) / n for n in range(1, 20)) * (0.15 + np.sin(2 * np.pi * 2.5 * t) ** 2)
    return np.asarray(sound * 4000, np.int16)


def frames(samples: Samples, size: int) -> list[Samples]:
    return [samples[at : at + size] for at in range(0, len(samples) - size + 1, size)]


def likeness(heard: Samples, sent: Samples, most: int = 1000) -> float:
    """The best normalised correlation over delays up to `most` samples."""
    a = sent[: len(sent) - most].astype(float)
    best = 0.0
    for delay in range(0, most, 4):
        b = heard[delay : delay + len(a)].astype(float)
        best = max(best, float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b) + 1e-9)))
    return best


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
@pytest.mark.parametrize("ptime_ms", [10, 20, 40, 60])
def test_what_is_encoded_comes_back(rate: int, ptime_ms: int) -> None:
    sound = voice(1.2, rate)
    encoder, decoder = OpusEncoder(OpusSettings(sample_rate_hz=rate), PEER), OpusDecoder(rate)
    heard = [decoder.decode(encoder.encode(part)) for part in frames(sound, rate * ptime_ms // 1000)]
    assert {len(part) for part in heard} == {rate * ptime_ms // 1000}
    joined = np.concatenate(heard)
    assert likeness(joined, sound[: len(joined)], rate // 40) > 0.8


def test_names_rates_and_what_it_can_do() -> None:
    codec = get("OPUS")
    assert codec == get("opus", 48000, 2)
    assert (codec.name, codec.clock_rate_hz, codec.sample_rate_hz, codec.channels) == (
        "opus",
        48000,
        48000,
        2,
    )
    assert 30 not in codec.ptimes_ms
    assert isinstance(codec.make_encoder(), LossAwareEncoder)
    assert isinstance(codec.make_decoder(), ConcealingDecoder)
    assert not isinstance(get("PCMU").make_encoder(), LossAwareEncoder)


def test_what_our_description_says() -> None:
    assert OpusSettings().fmtp == "useinbandfec=1"
    settings = OpusSettings(
        sample_rate_hz=16000, dtx=True, cbr=True, inband_fec=False, max_receive_bitrate=24000
    )
    assert settings.fmtp == (
        "maxplaybackrate=16000;sprop-maxcapturerate=16000;maxaveragebitrate=24000;useinbandfec=0;usedtx=1;cbr=1"
    )
    assert opus(settings).sample_rate_hz == 16000
    assert opus(settings) != opus()


@pytest.mark.parametrize(
    ("fmtp", "expected"),
    [
        ("", OpusParameters()),
        (
            "maxplaybackrate=16000; sprop-maxcapturerate=16000; maxaveragebitrate=20000; stereo=1; "
            "useinbandfec=1; usedtx=0",
            OpusParameters(16000, 20000, stereo=True, inband_fec=True, dtx=False),
        ),
        ("minptime=10;useinbandfec=1", OpusParameters(inband_fec=True)),
        ("CBR=1;UseDTX=1;sprop-stereo=1", OpusParameters(cbr=True, dtx=True, sprop_stereo=True)),
        ("stereo=0; cbr=; usedtx; maxplaybackrate=x; =; maxaveragebitrate=-5", OpusParameters()),
        ("maxplaybackrate=1;maxaveragebitrate=1", OpusParameters(8000, 6000)),
        ("maxplaybackrate=96000;maxaveragebitrate=999999", OpusParameters(48000, 510000)),
    ],
)
def test_what_theirs_means(fmtp: str, expected: OpusParameters) -> None:
    assert OpusParameters.parse(fmtp) == expected


@given(st.text(max_size=80))
def test_any_parameters_make_an_encoder(fmtp: str) -> None:
    OpusEncoder(OpusSettings(complexity=0), OpusParameters.parse(fmtp)).encode(np.zeros(960, np.int16))


@pytest.mark.parametrize(
    ("fmtp", "bits_per_second"),
    [
        ("", 32000),
        ("maxaveragebitrate=12000", 12000),
        ("maxplaybackrate=16000", 20000),
        ("cbr=1", 32000),
        ("useinbandfec=1", 48000),
        ("useinbandfec=1;maxaveragebitrate=20000", 20000),
    ],
)
def test_the_peer_bounds_the_rate(fmtp: str, bits_per_second: int) -> None:
    encoder = get("opus").bound_by(fmtp).make_encoder()
    payloads = [encoder.encode(part) for part in frames(voice(4), 960)]
    rate = sum(map(len, payloads)) * 8 / 4
    assert 0.5 * bits_per_second < rate < 1.15 * bits_per_second
    assert (len(set(map(len, payloads))) == 1) == (fmtp == "cbr=1")


def test_a_narrow_peer_gets_no_wide_band() -> None:
    encoder = get("opus").bound_by("maxplaybackrate=8000").make_encoder()
    decoder = OpusDecoder(48000)
    noise = np.random.default_rng(1).normal(0, 4000, 48000).astype(np.int16)
    heard = np.concatenate([decoder.decode(encoder.encode(part)) for part in frames(noise, 960)])
    spectrum = np.abs(np.fft.rfft(heard[9600:].astype(float))) ** 2
    edge = 4500 * len(spectrum) // 24000
    assert spectrum[edge:].sum() < 0.01 * spectrum[:edge].sum()


def test_stereo_is_mixed_down() -> None:
    library = libopus.load()
    state = bytearray(library.encoder_size(2))
    import ctypes

    memory = (ctypes.c_char * len(state)).from_buffer(state)
    address, out = ctypes.addressof(memory), ctypes.create_string_buffer(1500)
    assert library.encoder_init(address, 48000, 2, 2049) == 0
    left = voice(1)
    both = np.column_stack((left, np.zeros_like(left))).reshape(-1)
    decoder, heard = OpusDecoder(48000), []
    for part in frames(both, 1920):
        size = library.encode(address, part.ctypes.data, 960, ctypes.addressof(out), 1500)
        heard.append(decoder.decode(out.raw[:size]))
    joined = np.concatenate(heard)
    assert {len(part) for part in heard} == {960}
    assert likeness(joined, left[: len(joined)]) > 0.9
    assert 0.3 < np.std(joined.astype(float)) / np.std(left.astype(float)) < 0.7


def missing_energy(encoder: OpusEncoder, *, fec: bool) -> float:
    """How wrong every tenth frame is, relative to its energy, when it is lost and made up."""
    payloads = [encoder.encode(part) for part in frames(voice(6), 960)]
    whole, damaged = OpusDecoder(48000), OpusDecoder(48000)
    error = energy = 0.0
    for number, payload in enumerate(payloads[:-1]):
        truth = whole.decode(payload).astype(float)
        if number % 10 != 9:
            damaged.decode(payload)
            continue
        made = damaged.recover(payloads[number + 1], 960) if fec else damaged.conceal(960)
        assert made is not None
        error += float(np.sum((made - truth) ** 2))
        energy += float(np.sum(truth**2))
    return error / energy


def test_a_lost_packet_is_recovered_from_the_next() -> None:
    concealed = missing_energy(OpusEncoder(OpusSettings(expected_loss=0.1), PEER), fec=False)
    recovered = missing_energy(OpusEncoder(OpusSettings(expected_loss=0.1), PEER), fec=True)
    assert recovered < 0.75 * concealed


def test_protection_follows_the_reported_loss() -> None:
    encoder = OpusEncoder(OpusSettings(expected_loss=0), PEER)
    unprotected = missing_energy(encoder, fec=True)
    encoder.set_packet_loss(0.1)
    protected = missing_energy(encoder, fec=True)
    assert protected < 0.75 * unprotected
    for _ in range(8):  # forgotten by halves
        encoder.set_packet_loss(0.0)
    assert missing_energy(encoder, fec=True) > 1.3 * protected


def test_a_peer_that_cannot_use_protection_gets_none() -> None:
    encoder = OpusEncoder(OpusSettings(expected_loss=0.1), OpusParameters())
    protected = OpusEncoder(OpusSettings(expected_loss=0.1), PEER)
    assert missing_energy(protected, fec=True) < 0.75 * missing_energy(encoder, fec=True)


def test_of_a_longer_gap_the_last_packet_is_recovered() -> None:
    encoder = OpusEncoder(OpusSettings(expected_loss=0.1), PEER)
    payloads = [encoder.encode(part) for part in frames(voice(4), 960)]
    errors = {True: 0.0, False: 0.0}
    for fec in errors:
        whole, damaged = OpusDecoder(48000), OpusDecoder(48000)
        for number, payload in enumerate(payloads[:-1]):
            truth = whole.decode(payload).astype(float)
            if number % 10 < 8:
                damaged.decode(payload)
            elif number % 10 == 9:
                made = damaged.recover(payloads[number + 1], 1920) if fec else damaged.conceal(1920)
                assert made is not None
                assert len(made) == 1920
                errors[fec] += float(np.sum((made[960:] - truth) ** 2))
    assert errors[True] < 0.75 * errors[False]


def test_what_cannot_be_recovered() -> None:
    payload = OpusEncoder(OpusSettings(), PEER).encode(voice(0.02))
    decoder = OpusDecoder(48000)
    assert decoder.recover(payload, 5880) is None
    assert decoder.recover(payload, 961) is None
    assert decoder.recover(payload, 0) is None
    assert decoder.recover(b"\xff", 960) is None


@pytest.mark.parametrize("n", [1, 119, 120, 960, 961, 5760, 6000, 20000])
def test_concealment_of_any_length(n: int) -> None:
    encoder, decoder = OpusEncoder(OpusSettings(), PEER), OpusDecoder(48000)
    assert not decoder.conceal(n).any()  # nothing came before
    for part in frames(voice(0.2), 960):
        decoder.decode(encoder.encode(part))
    made = decoder.conceal(n)
    assert made.dtype == np.int16
    assert len(made) == n
    assert n < 960 or made.any()


def test_silence_is_not_sent_when_asked() -> None:
    silence = np.zeros(960, np.int16)
    for fmtp, settings in (("usedtx=1", OpusSettings()), ("", OpusSettings(dtx=True))):
        encoder = OpusEncoder(settings, OpusParameters.parse(fmtp))
        payloads = [encoder.encode(silence) for _ in range(200)]
        said = [payload for payload in payloads if payload]
        assert len(said) < 50
        assert any(announces_silence(payload) for payload in said)
        assert len(encoder.encode(voice(0.02))) > 2
    encoder = OpusEncoder(OpusSettings(dtx=True), OpusParameters.parse("usedtx=0"))
    assert all(encoder.encode(silence) for _ in range(100))


def test_errors() -> None:
    encoder = OpusEncoder(OpusSettings(), PEER)
    with pytest.raises(CodecError, match="961 samples"):
        encoder.encode(np.zeros(961, np.int16))
    for payload in (b"", b"\xff", bytes([3, 200])):
        with pytest.raises(CodecError, match=f"payload of {len(payload)} bytes"):
            OpusDecoder(48000).decode(payload)
    for wrong in (
        partial(OpusSettings, sample_rate_hz=44100),
        partial(OpusSettings, complexity=11),
        partial(OpusSettings, bitrate=100),
        partial(OpusSettings, max_receive_bitrate=10**6),
    ):
        with pytest.raises(ValueError, match="opus"):
            wrong()


@given(st.lists(st.binary(max_size=300), max_size=8), st.sampled_from([8000, 16000, 48000]))
def test_any_bytes_are_samples_or_codec_error(payloads: list[bytes], rate: int) -> None:
    decoder = OpusDecoder(rate)
    for payload in payloads:
        try:
            samples = decoder.decode(memoryview(payload))
        except CodecError:
            continue
        assert samples.dtype == np.int16
        assert 0 < len(samples) <= rate * 120 // 1000
        samples[:] = 0  # it is ours
        assert len(decoder.conceal(rate // 50)) == rate // 50
        assert decoder.recover(payload, rate // 50) is None or True


def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libopus, "_candidates", lambda: ["libopus-that-is-not-there.so"])
    with pytest.raises(CodecUnavailable, match=r"pip install '\.\[opus\]'"):
        libopus.load.__wrapped__()
