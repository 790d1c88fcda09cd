"""From what was negotiated to what the engine does: `StreamPlan`s of agreements and of open offers."""

from collections.abc import Mapping
from dataclasses import replace

from media.codec.base import Codec
from media.plan import MediaDirection, StreamPlan
from media.sdp.agreement import AudioAgreement
from media.sdp.attributes import RtpMap
from media.sdp.local_audio import LocalAudio
from media.sdp.payload_types import key_of


def agreed_plan(audio: AudioAgreement, known: Mapping[int, Codec], cname: str) -> StreamPlan:
    """The stream as agreed; `known` are formats of before, which may still be on their way."""
    return StreamPlan(
        send_codec=audio.send_codec,
        send_payload_type=audio.send_payload_type,
        receive_codecs={**known, **audio.receive_codecs},
        telephone_event_send=audio.telephone_event_send,
        telephone_event_receive=audio.telephone_event_receive,
        telephone_event_clock_hz=audio.telephone_event_clock_hz,
        comfort_noise_send=audio.comfort_noise_send,
        comfort_noise_receive=audio.comfort_noise_receive,
        direction=audio.direction,
        ptime_ms=audio.ptime_ms,
        remote_rtp=audio.remote_rtp,
        remote_rtcp=audio.remote_rtcp,
        cname=cname,
        rtcp_mux=audio.rtcp_mux,
        rtcp_reduced_size=audio.rtcp_reduced_size,
        rtcp_xr=audio.rtcp_xr,
    )


def offering_plan(
    local: LocalAudio,
    offered: Mapping[int, RtpMap],
    events: int | None,
    current: StreamPlan | None,
    cname: str,
    noise: int | None = None,
) -> StreamPlan:
    """Until the answer comes: go on as in `current`, and be ready for all we offered (RFC 3264 section 5.1).

    Without a `current` one nothing is sent.
    """
    by_key = {key_of(codec): codec for codec in local.codecs}
    codecs = {number: by_key[key_of(entry)] for number, entry in offered.items()}
    if current is not None:
        return replace(current, receive_codecs={**codecs, **current.receive_codecs})
    receives = local.enabled and local.direction.receives
    return StreamPlan(
        send_codec=None,
        send_payload_type=0,
        receive_codecs=codecs,
        telephone_event_receive=events,
        comfort_noise_receive=noise,
        direction=MediaDirection.RECVONLY if receives else MediaDirection.INACTIVE,
        ptime_ms=local.ptime_ms,
        cname=cname,
    )
