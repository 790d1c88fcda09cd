"""media/config.py: settings are checked when they are made."""

import dataclasses
from typing import Any

import pytest

from media.config import (
    JitterSettings,
    ManagerConfig,
    PortRange,
    SessionConstraints,
    SessionState,
    check_address,
    check_ptime,
)
from media.errors import BadAddress, BadPortRange
from media.plan import MediaDirection


def test_defaults_are_the_contract() -> None:
    config = ManagerConfig()
    assert config.default_local_ip == "127.0.0.1"
    assert config.advertised_ip is None
    assert config.rtp_port_range == PortRange(10000, 20000)
    assert config.default_audio_codecs == ("PCMU", "PCMA", "G722")
    assert config.default_ptime == 20
    constraints = SessionConstraints()
    assert constraints.audio_enabled
    assert constraints.audio_direction is MediaDirection.SENDRECV
    assert constraints.dtmf_enabled
    assert constraints.dtmf_payload_type == 101
    assert not constraints.video_enabled
    assert [state.name for state in SessionState] == ["IDLE", "NEGOTIATING", "ACTIVE", "PAUSED", "CLOSED"]


def test_settings_are_frozen() -> None:
    config: Any = ManagerConfig()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.default_ptime = 30


def test_port_range() -> None:
    ports = PortRange(10000, 10005)
    assert list(ports.rtp_ports()) == [10000, 10002, 10004]
    assert list(PortRange(10000, 10004).rtp_ports()) == [10000, 10002]
    assert str(ports) == "10000-10005"


@pytest.mark.parametrize(
    ("low", "high", "says"),
    [
        (20000, 10000, "did you mean 10000-20000?"),
        (10001, 10100, "start with 10002"),
        (10000, 10000, "use 10000-10001"),
        (0, 10, "between 1 and 65535"),
        (65534, 70000, "between 1 and 65535"),
    ],
)
def test_bad_port_ranges(low: int, high: int, says: str) -> None:
    with pytest.raises(BadPortRange) as caught:
        PortRange(low, high)
    assert says in str(caught.value)
    assert f"{low}-{high}" in str(caught.value)


@pytest.mark.parametrize("address", ["localhost", "300.1.1.1", "", "127.0.0.1:5060"])
def test_bad_addresses(address: str) -> None:
    with pytest.raises(BadAddress, match="is not an IP address"):
        check_address(address)
    with pytest.raises(BadAddress):
        ManagerConfig(default_local_ip=address)
    with pytest.raises(BadAddress):
        ManagerConfig(advertised_ip=address)
    with pytest.raises(BadAddress):
        SessionConstraints(local_ip=address)
    with pytest.raises(BadAddress):
        SessionConstraints(advertised_ip=address)


def test_good_addresses() -> None:
    assert check_address("::1") == "::1"
    assert SessionConstraints(local_ip="::1", advertised_ip="2001:db8::1").local_ip == "::1"
    assert ManagerConfig(advertised_ip="192.0.2.1").advertised_ip == "192.0.2.1"


def test_packet_times() -> None:
    assert check_ptime(30) == 30
    with pytest.raises(ValueError, match="25 ms is not one of 10, 20"):
        ManagerConfig(default_ptime=25)
    with pytest.raises(ValueError, match="5 ms"):
        SessionConstraints(audio_ptime=5)


def test_codec_lists() -> None:
    names: Any = ["PCMA"]
    assert ManagerConfig(default_audio_codecs=names).default_audio_codecs == ("PCMA",)
    assert SessionConstraints(audio_codecs=names).audio_codecs == ("PCMA",)
    with pytest.raises(ValueError, match="default_audio_codecs is empty"):
        ManagerConfig(default_audio_codecs=())
    with pytest.raises(ValueError, match="audio_codecs is empty"):
        SessionConstraints(audio_codecs=())


def test_other_limits() -> None:
    with pytest.raises(ValueError, match="statistics_interval_s"):
        ManagerConfig(statistics_interval_s=0)
    with pytest.raises(ValueError, match="between 96 and 127"):
        SessionConstraints(dtmf_payload_type=8)
    for port in (10001, 0, 65536):
        with pytest.raises(BadPortRange, match="must be even"):
            SessionConstraints(local_port=port)


def test_jitter_settings_make_the_buffer_they_say() -> None:
    assert JitterSettings().make_buffer().target_ms == 12.0
    assert JitterSettings("fixed", 60.0).make_buffer().target_ms == 60.0
    assert JitterSettings("off", 60.0).make_buffer().target_ms == 0.0


@pytest.mark.parametrize(("delay_ms", "max_delay_ms"), [(-1.0, 200.0), (60.0, 40.0), (60.0, 5000.0)])
def test_jitter_settings_that_contradict_each_other(delay_ms: float, max_delay_ms: float) -> None:
    with pytest.raises(ValueError, match="jitter buffer"):
        JitterSettings("fixed", delay_ms, max_delay_ms)


def test_jitter_settings_of_no_known_mode() -> None:
    mode: Any = "none"
    with pytest.raises(ValueError, match="not 'none'"):
        JitterSettings(mode)
