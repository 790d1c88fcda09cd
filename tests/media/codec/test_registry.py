"""Finding codecs, and codecs that other packages bring."""

from importlib.metadata import EntryPoint

import pytest

from media import codec
from media.codec.base import Codec
from media.codec.registry import ENTRY_POINT_GROUP, Registry
from media.errors import UnknownCodec


def entry_point(value: str) -> EntryPoint:
    return EntryPoint("some-package", value, ENTRY_POINT_GROUP)


def test_ours() -> None:
    assert codec.names()[:4] == ("PCMU", "PCMA", "G722", "L16")
    assert codec.get("pcma").name == "PCMA"
    assert codec.get("G722", 8000).sample_rate_hz == 16000
    found = codec.by_static_payload_type(8)
    assert found is not None
    assert found.name == "PCMA"
    assert codec.by_static_payload_type(18) is None


@pytest.mark.parametrize(
    ("name", "rate", "channels", "said"),
    [
        ("opus", None, 1, "'opus'"),
        ("PCMU", 16000, 1, "'PCMU/16000'"),
        ("L16", None, 3, "'L16 with 3 channels'"),
    ],
)
def test_unknown(name: str, rate: int | None, channels: int, said: str) -> None:
    with pytest.raises(UnknownCodec) as caught:
        codec.get(name, rate, channels)
    assert said in str(caught.value)
    assert "PCMU, PCMA, G722, L16" in str(caught.value)


def test_a_user_registers_one() -> None:
    registry = Registry(plugins=())
    ours = codec.get("PCMU")
    mine = Codec("X-MINE", 8000, 8000, ours.encoder_factory, ours.decoder_factory)
    assert registry.register(mine) is mine
    assert registry.get("x-mine") is mine
    assert registry.names() == ("X-MINE",)


def test_packages_are_loaded_when_a_codec_is_missing() -> None:
    registry = Registry(plugins=[entry_point("media.codec.g711:PCMA")])
    registry.register(codec.get("PCMU"))
    assert registry.get("PCMU").name == "PCMU"
    assert registry.by_static_payload_type(8) is None
    assert registry.get("PCMA").name == "PCMA"
    assert registry.names() == ("PCMU", "PCMA")


def test_a_broken_package_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    registry = Registry(plugins=[entry_point("no_such_package:CODEC"), entry_point("media.codec.g722:G722")])
    assert registry.names() == ("G722",)
    assert "'some-package' could not be loaded" in caplog.text


def test_codecs_are_values() -> None:
    one = codec.get("PCMU")
    assert one == Codec("PCMU", 8000, 8000, one.decoder_factory, one.encoder_factory, 0)  # type: ignore[arg-type]
    assert one.samples_per_ms == 8
    assert codec.get("G722").clock_per_ms == 8
