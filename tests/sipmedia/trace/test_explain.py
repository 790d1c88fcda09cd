"""sipmedia/trace/explain.py: messages in words of people who know no SIP."""

import pytest

from sipmedia.trace.explain import Explainer, describe_audio


def test_hold_is_told_from_the_first_call() -> None:
    explain = Explainer("alice", "bob").explain
    offer = b"INVITE sip:b SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\nm=audio 4 RTP/AVP 8 0\r\n"
    assert explain(offer, 0) == ("INVITE", "alice calls bob, offers PCMA, PCMU")
    assert explain(b"SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n\r\n", 1) == ("200 OK", "bob answers")
    hold = b"INVITE sip:b SIP/2.0\r\nCSeq: 2 INVITE\r\n\r\nm=audio 4 RTP/AVP 8\r\na=sendonly\r\n"
    assert explain(hold, 0)[1] == "alice wants to hold the call: PCMA (on hold)"
    assert explain(b"SIP/2.0 200 OK\r\nCSeq: 2 INVITE\r\n\r\n", 1)[1] == "bob agrees to hold the call"


@pytest.mark.parametrize(
    ("data", "meaning"),
    [
        (b"SIP/2.0 486 Busy Here\r\nCSeq: 1 INVITE\r\n\r\n", "bob is busy"),
        (b"SIP/2.0 183 Session Progress\r\nCSeq: 1 INVITE\r\n\r\nm=audio 4 RTP/AVP 0\r\n", None),
        (b"SIP/2.0 200 OK\r\nCSeq: 9 BYE\r\n\r\n", "the call is over"),
        (b"SIP/2.0 200 OK\nCSeq: 9 BYE\n", "the call is over"),
        (b"\r\n\r\nSIP/2.0 200 OK\r\nCSeq: 9 BYE\r\n\r\n", "the call is over"),
        (b"CANCEL sip:b SIP/2.0\r\n\r\n", "bob gives up calling"),
        (b"SIP/2.0 499 Odd\r\n\r\n", "bob refuses"),
        (b"FROB sip:b SIP/2.0\r\n\r\n", ""),
        (b"\xff\x00", ""),
    ],
)
def test_any_message_gets_some_words(data: bytes, meaning: str | None) -> None:
    label, words = Explainer("alice", "bob").explain(data, 1)
    assert label
    assert words == (meaning if meaning is not None else "the call makes progress, early sound PCMU")


@pytest.mark.parametrize(
    ("sdp", "words"),
    [
        ("m=audio 0 RTP/AVP 0\r\n", "no audio"),
        ("m=video 5 RTP/AVP 97\r\n", ""),
        ("m=audio 5 RTP/AVP 97 13 101\r\na=rtpmap:97 opus/48000/2\r\na=rtpmap:13 CN/8000\r\n"
         "a=rtpmap:101 telephone-event/8000\r\na=inactive\r\n", "opus (silent)"),
        ("m=audio 5 RTP/AVP 77\n", "type 77"),
    ],
)  # fmt: skip
def test_audio_in_words(sdp: str, words: str) -> None:
    assert describe_audio(sdp) == words
