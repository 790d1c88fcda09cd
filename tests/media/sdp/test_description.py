"""media/sdp/description.py: reading what devices send, writing it back."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.errors import BadSdp
from media.sdp.description import Connection, Line, MediaDescription, Origin, SessionDescription

PLAIN = (
    "v=0\r\n"
    "o=alice 2890844526 2890844527 IN IP4 198.51.100.1\r\n"
    "s= \r\n"
    "i=A telephone call\r\n"
    "c=IN IP4 198.51.100.1\r\n"
    "b=AS:64\r\n"
    "t=0 0\r\n"
    "a=recvonly\r\n"
    "m=audio 49170/2 RTP/AVP 0 97\r\n"
    "c=IN IP6 2001:db8::1\r\n"
    "a=rtpmap:97 L16/16000\r\n"
    "a=sendonly\r\n"
    "m=video 0 RTP/AVP 31\r\n"
    "y=something new\r\n"
)


def test_fields() -> None:
    description = SessionDescription.parse(PLAIN)
    assert description.origin == Origin("alice", "2890844526", "2890844527", "IN", "IP4", "198.51.100.1")
    assert description.session_name == " "
    assert description.bandwidths() == {"AS": "64"}
    assert description.connection == Connection("IN", "IP4", "198.51.100.1")
    audio, video = description.media
    assert (audio.media, audio.port, audio.port_count) == ("audio", 49170, 2)
    assert audio.protocol == "RTP/AVP"
    assert audio.formats == ("0", "97")
    assert audio.attribute("rtpmap") == "97 L16/16000"
    assert audio.attribute("sendonly") == ""
    assert audio.attribute("ptime") is None
    assert audio.has("sendonly")
    assert not video.has("sendonly")
    assert description.connection_of(audio) == Connection("IN", "IP6", "2001:db8::1")
    assert description.connection_of(video) == description.connection
    assert video.refused
    assert video.lines == (Line("y", "something new"),)


def test_well_formed_text_comes_back_byte_for_byte() -> None:
    assert bytes(SessionDescription.parse(PLAIN.encode())) == PLAIN.encode()


def test_bytes_that_are_not_utf8_survive() -> None:
    data = PLAIN.encode().replace(b"A telephone", b"\xff\xfe telephone")
    assert bytes(SessionDescription.parse(data)) == data


@pytest.mark.parametrize("ending", ["\n", "\r", "\r\n"])
def test_any_line_ending(ending: str) -> None:
    assert SessionDescription.parse(PLAIN.replace("\r\n", ending)) == SessionDescription.parse(PLAIN)


def test_last_line_without_end() -> None:
    assert SessionDescription.parse(PLAIN.rstrip()) == SessionDescription.parse(PLAIN)


def test_what_is_forgiven() -> None:
    """No o=, s=, t=; blank lines; indents; doubled spaces; comments; a port that is none."""
    description = SessionDescription.parse(
        "; from a collection of samples\n\nv=0\n  c=IN  IP4  192.0.2.1\n\nm=audio  492170  RTP/AVP  0 \n"
    )
    assert description.origin is None
    assert description.session_name == "-"
    assert description.connection == Connection("IN", "IP4", "192.0.2.1")
    assert description.media == (MediaDescription("audio", 492170, "RTP/AVP", ("0",)),)
    assert str(description.media[0]) == "m=audio 492170 RTP/AVP 0"


@pytest.mark.parametrize(
    ("value", "username", "address"),
    [
        ("- 1 1 IN IP4 192.0.2.1", "-", "192.0.2.1"),
        ("John Doe 1 1 IN IP4 192.0.2.1", "John Doe", "192.0.2.1"),
        ("alice", "alice", ""),
        ("", "", ""),
    ],
)
def test_odd_origins(value: str, username: str, address: str) -> None:
    description = SessionDescription.parse(f"v=0\r\no={value}\r\n")
    origin = description.origin
    assert origin is not None
    assert (origin.username, origin.address) == (username, address)
    assert str(description) == f"v=0\r\no={value}\r\n"


@pytest.mark.parametrize(
    ("text", "line_number", "line", "reason"),
    [
        ("", 0, "", "it is empty"),
        (" \r\n\r\n", 0, "", "it is empty"),
        ("hello", 1, "hello", "a line is a letter, `=` and a value"),
        ("; only a comment", 1, "; only a comment", "it must start with v=0"),
        ("s=-\r\nv=0\r\n", 1, "s=-", "it must start with v=0"),
        ("v=1\r\n", 1, "v=1", "only version 0 is known"),
        ("v=0\r\nthis is not SDP\r\n", 2, "this is not SDP", "a line is a letter, `=` and a value"),
        ("v=0\r\nm=audio\r\n", 2, "m=audio", "an m= line needs media, port and protocol"),
        ("v=0\r\nm=audio x RTP/AVP 0\r\n", 2, "m=audio x RTP/AVP 0", "'x' is not a port"),
        ("v=0\r\nm=audio -1 RTP/AVP 0\r\n", 2, "m=audio -1 RTP/AVP 0", "'-1' is not a port"),
        ("v=0\r\nm=audio ² RTP/AVP 0\r\n", 2, "m=audio ² RTP/AVP 0", "'²' is not a port"),
        ("v=0\r\nm=audio 1/x RTP/AVP 0", 2, "m=audio 1/x RTP/AVP 0", "'x' is not a number of ports"),
        (
            "v=0\r\nt=0 0\r\nm=audio 4 RTP/AVP 0\r\nc=IN IP4\r\n",
            4,
            "c=IN IP4",
            "a c= line needs network type, address type and address",
        ),
    ],
)
def test_refused(text: str, line_number: int, line: str, reason: str) -> None:
    with pytest.raises(BadSdp) as caught:
        SessionDescription.parse(text)
    assert (caught.value.line_number, caught.value.line, caught.value.reason) == (line_number, line, reason)
    assert reason in str(caught.value)


def test_connection_of_multicast() -> None:
    assert Connection.parse("IN IP4 224.2.1.1/127/3").host == "224.2.1.1"
    assert Connection.to("::1") == Connection("IN", "IP6", "::1")


def test_with_media_keeps_the_session_level() -> None:
    description = SessionDescription.parse(PLAIN)
    assert str(description.with_media(())) == PLAIN[: PLAIN.index("m=audio")]


ANYTHING = st.text() | st.lists(
    st.sampled_from(["v=0", "m=audio 1 RTP/AVP 0", "a=", "c=IN IP4 1.2.3.4", "=", "x", "\t"]) | st.text()
).map("\r\n".join)


@settings(deadline=None)
@given(ANYTHING)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        description = SessionDescription.parse(text)
    except BadSdp:
        return
    assert SessionDescription.parse(str(description)) == description


@settings(deadline=None)
@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for body in (data, b"v=0\r\n" + data):
        try:
            description = SessionDescription.parse(body)
        except BadSdp:
            continue
        assert SessionDescription.parse(bytes(description)) == description


def test_descriptions_of_other_peoples_devices(fixtures: Path) -> None:
    """Every file is read; what is well formed is written byte for byte, the rest reads the same again."""
    files = [
        path
        for path in sorted((fixtures / "sdp").rglob("*"))
        if path.is_file() and path.name != "SOURCE" and path.suffix != ".json"
    ]
    assert files
    for path in files:
        data = path.read_bytes()
        description = SessionDescription.parse(data)
        written = bytes(description)
        assert SessionDescription.parse(written) == description, path
        if is_well_formed(data):
            assert written == data, path


def is_well_formed(data: bytes) -> bool:
    """CR LF at every line, no blank line, no space at the end of an m= line."""
    lines = data.split(b"\r\n")
    return (
        lines[-1] == b""
        and all(lines[:-1])
        and not any(b"\n" in line or b"\r" in line for line in lines)
        and not any(line.startswith(b"m=") and line.endswith(b" ") for line in lines)
    )
