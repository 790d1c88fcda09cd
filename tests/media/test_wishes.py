"""media/wishes.py: defaults filled in, constraints laid over them."""

import pytest

from media.config import ManagerConfig, SessionConstraints
from media.errors import BadAddress, UnknownCodec, Unsupported
from media.plan import MediaDirection
from media.wishes import Wishes, find_codecs


def test_of_a_manager() -> None:
    wishes = Wishes.of(ManagerConfig(default_audio_codecs=("PCMA",), default_ptime=30, rtcp_mux=True))
    local = wishes.local_audio(("127.0.0.1", 4000))
    assert (local.address, local.port, local.ptime_ms, local.rtcp_mux) == ("127.0.0.1", 4000, 30, True)
    assert [codec.name for codec in local.codecs] == ["PCMA"]
    assert local.events_payload_type == 101


def test_constraints_say_what_changes() -> None:
    before = Wishes.of(ManagerConfig(advertised_ip="192.0.2.1"))
    assert before.changed(None) is before
    after = before.changed(
        SessionConstraints(
            audio_codecs=("G722",),
            audio_direction=MediaDirection.SENDONLY,
            audio_ptime=40,
            dtmf_enabled=False,
            prefer_own_codecs=True,
        )
    )
    assert [codec.name for codec in after.codecs] == ["G722"]
    assert (after.direction, after.ptime_ms, after.prefer_own) == (MediaDirection.SENDONLY, 40, True)
    assert after.events_payload_type is None
    again = after.changed(SessionConstraints())
    assert again.codecs == after.codecs
    assert again.ptime_ms == 40
    assert again.direction is MediaDirection.SENDRECV
    assert again.local_audio(("127.0.0.1", 4000)).address == "192.0.2.1"


def test_what_is_refused() -> None:
    wishes = Wishes.of(ManagerConfig())
    with pytest.raises(Unsupported):
        wishes.changed(SessionConstraints(video_enabled=True))
    with pytest.raises(BadAddress):
        wishes.changed(SessionConstraints(local_ip="::")).check_reachable()
    wishes.changed(SessionConstraints(local_ip="::", advertised_ip="2001:db8::1")).check_reachable()
    wishes.check_reachable()


def test_codecs_by_name() -> None:
    found = find_codecs(("pcmu", "L16/8000", "PCMU", "L16/16000/1"))
    assert [(codec.name, codec.clock_rate_hz) for codec in found] == [
        ("PCMU", 8000),
        ("L16", 8000),
        ("L16", 16000),
    ]
    for name in ("PCMU/", "PCMU/x", "L16/8000/1/1", "L16/12345", ""):
        with pytest.raises(UnknownCodec):
            find_codecs((name,))
