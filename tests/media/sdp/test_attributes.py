"""media/sdp/attributes.py: what attributes say."""

import pytest

from media.plan import MediaDirection
from media.sdp.attributes import (
    RtpMap,
    direction_of,
    fmtp_of,
    format_events,
    formats_of,
    maxptime_of,
    parse_events,
    parse_rtpmap,
    ptime_of,
    rtcp_of,
)
from media.sdp.description import MediaDescription, SessionDescription


def audio(attributes: str = "", formats: str = "0") -> MediaDescription:
    lines = "".join(f"a={line}\r\n" for line in attributes.split("|") if line)
    return SessionDescription.parse(f"v=0\r\nm=audio 4000 RTP/AVP {formats}\r\n{lines}").media[0]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0 PCMU/8000", RtpMap(0, "PCMU", 8000)),
        ("96 opus/48000/2", RtpMap(96, "opus", 48000, 2)),
        ("101  telephone-event / 8000 ", RtpMap(101, "telephone-event", 8000)),
        ("96 opus/48000", RtpMap(96, "opus", 48000, 2)),
        ("9 G722/16000", RtpMap(9, "G722", 8000)),
        ("9 G722/8000/1", RtpMap(9, "G722", 8000)),
        ("99 MYPERSONNALCODEC", None),
        ("x PCMU/8000", None),
        ("0 PCMU/", None),
        ("", None),
    ],
)
def test_rtpmap(value: str, expected: RtpMap | None) -> None:
    assert parse_rtpmap(value) == expected


def test_rtpmap_written() -> None:
    assert str(RtpMap(0, "PCMU", 8000).line()) == "a=rtpmap:0 PCMU/8000"
    assert str(RtpMap(96, "opus", 48000, 2).line()) == "a=rtpmap:96 opus/48000/2"


def test_labels() -> None:
    labels = [RtpMap(0, *what).label for what in (("PCMU", 8000, 1), ("L16", 16000, 1), ("opus", 48000, 2))]
    assert labels == ["PCMU", "L16/16000", "opus/48000/2"]


def test_formats() -> None:
    """In order, each once; static types need no rtpmap, and mean something else where one says so."""
    media = audio("rtpmap:97 iLBC/8000|rtpmap:3 PCMA/8000|rtpmap:97 again/8000", "8 97 98 8 3 x 200")
    assert formats_of(media) == [
        RtpMap(8, "PCMA", 8000),
        RtpMap(97, "iLBC", 8000),
        RtpMap(3, "PCMA", 8000),
    ]
    assert formats_of(media, [RtpMap(98, "L16", 16000)])[2] == RtpMap(98, "L16", 16000)


def test_fmtp() -> None:
    media = audio("fmtp:101 0-15|fmtp:97 mode=20; x=y|fmtp:98|fmtp:x 1")
    assert fmtp_of(media, 97) == "mode=20; x=y"
    assert fmtp_of(media, 101) == "0-15"
    assert fmtp_of(media, 98) == ""
    assert fmtp_of(media, 0) is None


@pytest.mark.parametrize(
    ("text", "events"),
    [
        ("0-15", range(16)),
        ("0-16", range(17)),
        ("0-11, 66,70 - 71", [*range(12), 66, 70, 71]),
        ("events=0-15", range(16)),
        ("5", [5]),
        ("9-3", []),
        ("0-999", range(256)),
        ("some", []),
        ("", []),
    ],
)
def test_events(text: str, events: range | list[int]) -> None:
    assert parse_events(text) == frozenset(events)


def test_events_written() -> None:
    assert format_events(frozenset(range(16))) == "0-15"
    assert format_events(frozenset({0, 1, 2, 5, 7, 8})) == "0-2,5,7-8"
    assert format_events(frozenset()) == ""


def test_direction() -> None:
    description = SessionDescription.parse(
        "v=0\r\na=sendonly\r\nm=audio 1 RTP/AVP 0\r\na=inactive\r\nm=audio 2 RTP/AVP 0\r\n"
    )
    assert [direction_of(media, description) for media in description.media] == [
        MediaDirection.INACTIVE,
        MediaDirection.SENDONLY,
    ]
    assert direction_of(audio(), SessionDescription(())) is MediaDirection.SENDRECV


@pytest.mark.parametrize(
    ("value", "expected"),
    [("20", 20.0), ("0.125", 0.125), (" 30 ", 30.0), ("0", None), ("x", None), ("", None), ("-1", None)],
)
def test_ptime(value: str, expected: float | None) -> None:
    media = audio(f"ptime:{value}|maxptime:{value}")
    assert ptime_of(media) == expected
    assert maxptime_of(media) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("53020", (53020, None)),
        ("53020 IN IP4 126.16.64.4", (53020, "126.16.64.4")),
        ("53020 IN", (53020, None)),
        ("0", None),
        ("70000", None),
        ("1234567890", None),
        ("x", None),
    ],
)
def test_rtcp(value: str, expected: tuple[int, str | None] | None) -> None:
    assert rtcp_of(audio(f"rtcp:{value}")) == expected


def test_attributes_that_are_absent() -> None:
    media = audio()
    assert rtcp_of(media) is None
    assert ptime_of(media) is None
