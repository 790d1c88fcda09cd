"""Offers as common devices word them, and what they get from us."""

import pytest

from media.codec import registry
from media.plan import MediaDirection
from media.sdp.description import SessionDescription
from media.sdp.local_audio import LocalAudio
from media.sdp.negotiation import Negotiation

LOCAL = LocalAudio("192.0.2.1", 10000, tuple(registry.get(name) for name in ("PCMU", "PCMA", "G722")))

SIPP = """v=0
o=user1 53655765 2353687637 IN IP4 192.0.2.9
s=-
c=IN IP4 192.0.2.9
t=0 0
m=audio 6000 RTP/AVP 0
a=rtpmap:0 PCMU/8000
"""

ASTERISK = """v=0
o=- 1389017203 1389017203 IN IP4 192.0.2.9
s=Asterisk
c=IN IP4 192.0.2.9
t=0 0
m=audio 16122 RTP/AVP 9 8 0 3 101
a=rtpmap:9 G722/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:3 GSM/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:20
a=maxptime:150
a=sendrecv
"""

SWITCH_WITH_VIDEO = """v=0
o=FreeSWITCH 1447845433 1447845434 IN IP4 192.0.2.9
s=FreeSWITCH
c=IN IP4 192.0.2.9
t=0 0
a=msid-semantic: WMS x
m=audio 25002 RTP/AVP 96 0 8 101 13
a=rtpmap:96 opus/48000/2
a=fmtp:96 useinbandfec=1; maxaveragebitrate=30000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=rtcp-mux
a=rtcp:25002 IN IP4 192.0.2.9
a=ptime:20
m=video 25004 RTP/AVP 102
b=AS:1024
a=rtpmap:102 VP8/90000
a=rtcp-fb:102 ccm fir
"""

DESK_PHONE = """v=0
o=John Doe 8000 8000 IN IP4 192.0.2.9
s=SIP Call
c=IN IP4 192.0.2.9
t=0 0
m=audio 5004 RTP/AVP 18 0 97
a=rtpmap:18 G729/8000
a=fmtp:18 annexb=no
a=rtpmap:0 PCMU/8000/1
a=rtpmap:97 telephone-event/8000
a=fmtp:97 0-15,66
a=ptime:30
a=X-nat:0
"""

LINPHONE = """v=0
o=alice 2902 1867 IN IP6 2001:db8::9
s=Talk
c=IN IP6 2001:db8::9
t=0 0
a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics
m=audio 7078 RTP/AVPF 96 0 101
a=rtpmap:96 opus/48000/2
a=fmtp:96 useinbandfec=1
a=rtpmap:101 telephone-event/48000
a=rtcp-fb:* trr-int 5000
"""

GATEWAY_ON_HOLD = """v=0
o=CiscoSystemsSIP-GW-UserAgent 5597 7889 IN IP4 192.0.2.9
s=SIP Call
c=IN IP4 0.0.0.0
t=0 0
m=audio 17388 RTP/AVP 8 101
c=IN IP4 0.0.0.0
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:20
m=image 0 udptl t38
"""


@pytest.mark.parametrize(
    ("text", "local", "lines", "codec", "events", "ptime_ms", "direction"),
    [
        (SIPP, "192.0.2.1", ["audio 10000 RTP/AVP 0"], "PCMU", None, 20, MediaDirection.SENDRECV),
        (ASTERISK, "192.0.2.1", ["audio 10000 RTP/AVP 9 8 0 101"], "G722", 101, 20, MediaDirection.SENDRECV),
        (
            SWITCH_WITH_VIDEO,
            "192.0.2.1",
            ["audio 10000 RTP/AVP 0 8 101", "video 0 RTP/AVP 102"],
            "PCMU",
            101,
            20,
            MediaDirection.SENDRECV,
        ),
        (DESK_PHONE, "192.0.2.1", ["audio 10000 RTP/AVP 0 97"], "PCMU", 97, 30, MediaDirection.SENDRECV),
        (LINPHONE, "2001:db8::1", ["audio 10000 RTP/AVPF 0"], "PCMU", None, 20, MediaDirection.SENDRECV),
        (
            GATEWAY_ON_HOLD,
            "192.0.2.1",
            ["audio 10000 RTP/AVP 8 101", "image 0 udptl t38"],
            "PCMA",
            101,
            20,
            MediaDirection.RECVONLY,
        ),
    ],
)
def test_answers(
    text: str,
    local: str,
    lines: list[str],
    codec: str,
    events: int | None,
    ptime_ms: int,
    direction: MediaDirection,
) -> None:
    machine = Negotiation(1)
    machine.set_remote_offer(SessionDescription.parse(text))
    ours = LocalAudio(local, LOCAL.port, LOCAL.codecs)
    answer = str(machine.create_answer(ours))
    assert [line[2:] for line in answer.split("\r\n") if line.startswith("m=")] == lines
    assert machine.audio is not None
    assert machine.audio.send_codec.name == codec
    assert machine.audio.telephone_event_send == machine.audio.telephone_event_receive == events
    assert machine.audio.ptime_ms == ptime_ms
    assert machine.audio.direction is direction
    assert machine.audio.remote_rtcp in (None, ("192.0.2.9", 25002))
