"""SIPp scenarios, composed in the test that uses them, so that the message flow can be read there.

    scenario("a plain call", invite(), expect(100, optional=True), expect(180, optional=True),
             expect(200), ack(), play("tune.ul"), pause(2000), bye(), expect(200))

Requests carry the branch of their transaction by CSeq (RFC 3261 section 17.1.3): a CANCEL and the ACK of
a failure have the INVITE's own, the ACK of a 2xx a new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

CODECS = ("0 PCMU/8000",)
EVENTS = "101 telephone-event/8000"

_HEADER = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<!DOCTYPE scenario SYSTEM "sipp.dtd">
"""


def sdp(direction: str = "sendrecv", *, version: int = 1, codecs: Sequence[str] = (*CODECS, EVENTS)) -> str:
    """An SDP body with one audio stream at sipp's RTP port, each codec as "payload-type encoding/rate"."""
    types = " ".join(codec.split()[0] for codec in codecs)
    maps = "\n".join(f"a=rtpmap:{codec}" for codec in codecs)
    return (
        f"v=0\no=sipp 53655765 {version} IN IP4 [local_ip]\ns=-\nc=IN IP4 [media_ip]\nt=0 0\n"
        f"m=audio [rtpstream_audio_port] RTP/AVP {types}\n{maps}\na={direction}\n"
    )


def _body(body: str) -> str:
    kind = "Content-Type: application/sdp\n" if body else ""
    return f"{kind}Content-Length: [len]\n\n{body}"


def _request(
    method: str, cseq: int, branch: str, *, inside: bool, extra: str = "", body: str = "", again: bool = True
) -> str:
    target = "[next_url]" if inside else "sip:[service]@[remote_ip]:[remote_port]"
    to = "[last_To:]" if inside else "To: <sip:[service]@[remote_ip]:[remote_port]>"
    text = (
        f"{method} {target} SIP/2.0\n"
        f"Via: SIP/2.0/UDP [local_ip]:[local_port];rport;branch=z9hG4bK-[pid]-[call_number]-{branch}\n"
        f"{'[routes]' + chr(10) if inside else ''}"
        f"Max-Forwards: 70\nFrom: <sip:sipp@[local_ip]:[local_port]>;tag=sipp[pid]-[call_number]\n"
        f"{to}\nCall-ID: [call_id]\nCSeq: {cseq} {method}\n"
        f"Contact: <sip:sipp@[local_ip]:[local_port]>\n{extra}{_body(body)}"
    )
    retransmit = ' retrans="500"' if again else ""
    return f"<send{retransmit}><![CDATA[\n{text}\n]]></send>"


def invite(body: str | None = None, *, extra: str = "") -> str:
    """The first INVITE; `body` "" makes it a late offer, None is a plain offer."""
    return _request("INVITE", 1, "invite1", inside=False, extra=extra, body=sdp() if body is None else body)


def reinvite(body: str, cseq: int) -> str:
    """An INVITE inside the dialog."""
    return _request("INVITE", cseq, f"invite{cseq}", inside=True, body=body)


def ack(cseq: int = 1, body: str = "") -> str:
    """The ACK of a 2xx, with the answer of a late offer as `body`."""
    return _request("ACK", cseq, f"ack{cseq}", inside=True, body=body, again=False)


def ack_failure(cseq: int = 1, *, inside: bool = False) -> str:
    """The ACK of a 3xx to 6xx: part of the INVITE's transaction, hence its branch and its Request-URI."""
    text = _request("ACK", cseq, f"invite{cseq}", inside=inside, again=False)
    return text if inside else text.replace("To: <sip:[service]@[remote_ip]:[remote_port]>", "[last_To:]")


def cancel() -> str:
    """CANCEL of the first INVITE."""
    return _request("CANCEL", 1, "invite1", inside=False)


def bye(cseq: int = 2) -> str:
    return _request("BYE", cseq, f"bye{cseq}", inside=True)


def info(cseq: int, content_type: str, body: str) -> str:
    """An INFO in the dialog, of the kind without a package."""
    text = _request("INFO", cseq, f"info{cseq}", inside=True, body=body)
    return text.replace("application/sdp", content_type)


def options() -> str:
    return _request("OPTIONS", 1, "options1", inside=False, extra="Accept: application/sdp\n")


def expect(status: int, *, optional: bool = False, containing: str = "", where: str = "msg") -> str:
    """A response; `containing` is a regular expression the whole message must match."""
    maybe = ' optional="true"' if optional else ""
    head = f'<recv response="{status}" rrs="true"{maybe}'
    return _checked(head, containing, where)


def expect_request(method: str, *, optional: bool = False, containing: str = "") -> str:
    """A request of the other party."""
    maybe = ' optional="true"' if optional else ""
    return _checked(f'<recv request="{method}" rrs="true"{maybe}', containing, "msg")


def _checked(head: str, containing: str, where: str) -> str:
    if not containing:
        return head + "/>"
    # sipp insists that a variable is used: the log action is its use.
    return (
        f"{head}><action><ereg regexp={quoteattr(containing)} search_in={quoteattr(where)} "
        f'check_it="true" assign_to="1"/><log message="[$1]"/></action></recv>'
    )


def respond(status: int, reason: str, body: str = "", *, extra: str = "", again: bool = False) -> str:
    """Answer the request received last."""
    contact = "Contact: <sip:sipp@[local_ip]:[local_port]>\n"
    # Of the response's own tag: sipp gives the same one for the whole call.
    text = (
        f"SIP/2.0 {status} {reason}\n[last_Via:]\n[last_From:]\n[last_To:];tag=sipp[pid]-[call_number]\n"
        f"[last_Call-ID:]\n[last_CSeq:]\n{contact}{extra}{_body(body)}"
    )
    retransmit = ' retrans="500"' if again else ""
    return f"<send{retransmit}><![CDATA[\n{text}\n]]></send>"


def respond_inside(status: int, reason: str, body: str = "") -> str:
    """Answer a request inside the dialog: its To has our tag already."""
    return respond(status, reason, body).replace(";tag=sipp[pid]-[call_number]", "")


def pause(milliseconds: int) -> str:
    return f'<pause milliseconds="{milliseconds}"/>'


def play(file_name: str) -> str:
    """Stream a raw mu-law file, over and over, while the scenario goes on."""
    return f'<nop><action><exec rtp_stream="{file_name},-1,0"/></action></nop>'


def play_once(file_name: str) -> str:
    return f'<nop><action><exec rtp_stream="{file_name},1,0"/></action></nop>'


def play_packets(file_name: str) -> str:
    """Send the packets of a pcap file once (`harness.rtp`), while the scenario goes on."""
    return f'<nop><action><exec play_pcap_audio="{file_name}"/></action></nop>'


def stop_playing() -> str:
    return '<nop><action><exec rtp_stream="pause"/></action></nop>'


def scenario(name: str, *steps: str) -> str:
    """The whole scenario as XML."""
    return f"{_HEADER}<scenario name={quoteattr(name)}>\n" + "\n".join(steps) + "\n</scenario>\n"
