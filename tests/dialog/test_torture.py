"""Hostile and unusual messages: what the parser and the validation say to each.

Our own cases are in `torture/`; they keep the names of the messages of RFC 4475 and RFC 5118 whose point
they share. What others collected is read where the shared fixtures are present.
"""

import json
import tarfile
import time
from pathlib import Path

import pytest

from dialog.errors import ParseError
from dialog.message import Request, Response
from dialog.parser import StreamParser, parse_datagram
from dialog.uri import OpaqueUri, SipUri
from dialog.validation import validate_request, validate_response

OK, DISCARD = "ok", "discard"
CASES = Path(__file__).parent / "torture"

# What is said before any user agent looks at it: that a method, scheme, extension or body is not supported
# comes later. Where RFC 4475 leaves a choice we take what lets more calls through.
VERDICTS: dict[str, int | str] = {
    # 3.1.1 valid messages
    "wsinv": OK,
    "intmeth": OK,
    "esc01": OK,
    "escnull": OK,
    "esc02": OK,
    "lwsdisp": OK,
    "longreq": OK,
    "dblreq": OK,
    "semiuri": OK,
    "transports": OK,
    "mpart01": OK,
    "unreason": OK,
    "noreason": OK,
    # 3.1.2 invalid messages
    "badinv01": 400,
    "clerr": 400,
    "ncl": 400,
    "scalar02": 400,
    "scalarlg": DISCARD,
    "quotbal": 400,
    "ltgtruri": 400,
    "lwsruri": 400,
    "lwsstart": OK,
    "trws": OK,
    "escruri": OK,
    "baddate": OK,
    "regbadct": 400,
    "badaspec": OK,
    "baddn": OK,
    "badvers": 505,
    "mismatch01": 400,
    "mismatch02": 400,
    "bigcode": DISCARD,
    # 3.2 transaction layer, 3.3 application layer, 3.4 backward compatibility
    "badbranch": 400,
    "insuf": 400,
    "unkscm": OK,
    "novelsc": OK,
    "unksm2": OK,
    "bext01": OK,
    "invut": OK,
    "regaut01": OK,
    "multi01": 400,
    "mcl01": 400,
    "bcast": DISCARD,
    "zeromf": OK,
    "cparam01": OK,
    "cparam02": OK,
    "regescrt": OK,
    "sdp01": OK,
    "inv2543": OK,
    # RFC 5118 section 4
    "ipv6-good": OK,
    "ipv6-bad": 400,
    "port-ambiguous": OK,
    "port-unambiguous": OK,
    "via-received-with-delim": OK,
    "via-received-no-delim": OK,
    "ipv4-mapped": OK,
    # The names of RFC 5118's own files
    "via-received-param-with-delim": OK,
    "via-received-param-no-delim": OK,
    "ipv6-in-sdp": OK,
    "mult-ip-in-sdp": OK,
    "ipv4-mapped-ipv6": OK,
}


def verdict(data: bytes, max_bytes: int = 65535) -> int | str:
    """What we say to a datagram; fails if that is anything but a message or a ParseError."""
    try:
        message = parse_datagram(data, max_bytes)
        if isinstance(message, Request):
            validate_request(message)
        else:
            validate_response(message)
    except ParseError as error:
        return refusal(error)
    assert bytes(parse_datagram(bytes(message))) == bytes(message)
    if isinstance(message, Request):
        assert isinstance(parse_datagram(bytes(Response.to_request(message, 200, to_tag="t"))), Response)
    return OK


def refusal(error: ParseError) -> int | str:
    """What an error says; when that is a status, the request at hand can be answered with it."""
    if error.status is None:
        assert error.message is None
        return DISCARD
    assert error.message is not None
    answer = Response.to_request(error.message, error.status, error.reason, to_tag="t")
    assert isinstance(parse_datagram(bytes(answer), 1 << 20), Response)
    return error.status


def request(name: str) -> Request:
    message = parse_datagram((CASES / f"{name}.sip").read_bytes())
    assert isinstance(message, Request)
    return message


@pytest.mark.parametrize("path", sorted(CASES.glob("*.sip")), ids=lambda path: path.stem)
def test_our_cases(path: Path) -> None:
    data = path.read_bytes()
    assert verdict(data) == VERDICTS[path.stem]
    # On a stream, in single bytes: nothing but messages and errors, and the same as all at once.
    whole, pieces = StreamParser(), StreamParser()
    expected = [str(item) for item in whole.receive(data)]
    assert [str(item) for byte in data for item in pieces.receive(bytes([byte]))] == expected
    assert pieces.failed == whole.failed


def test_every_cut_of_every_case_is_taken() -> None:
    for path in CASES.glob("*.sip"):
        data = path.read_bytes()
        for cut in range(0, len(data), 1 if len(data) < 2000 else 101):
            verdict(data[:cut])


def test_wsinv() -> None:
    message = request("wsinv")
    validate_request(message)
    assert message.to.tag == "glow1"
    assert message.from_.display_name == 'Cat \\"'
    assert message.max_forwards == 42
    assert message.cseq == (11, "INVITE")
    assert [(via.transport, via.host, via.branch) for via in message.vias] == [
        ("UDP", "192.0.2.44", "c4t"),
        ("TCP", "stairs.example", "z9hG4bKstairs"),
        ("UDP", "192.0.2.45", "z9hG4bKhall"),
    ]
    assert message.headers.get("Subject") == ""
    assert message.headers.get("NewShelf") == "upper board lower board"
    assert message.headers.get("OddShelf") == ";;,,;;,;"
    assert message.contacts[0].display_name == 'Quoted ""'
    assert message.contacts[0].params == {"colour": "black", "nap": None, "q": "0.33"}
    assert isinstance(message.routes[0].uri, SipUri)
    assert message.routes[0].uri.params == {"lr": None, "steps": "12", "creaking": None}


def test_intmeth() -> None:
    message = request("intmeth")
    assert message.method == message.cseq.method == "!odd-Method9_*+`.%worth'~"
    assert isinstance(message.uri, SipUri)
    assert message.uri.user == "odd.user~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert message.uri.password == "&pw=1,odd!*pas$w~d_too.(no)"
    assert message.to.display_name == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert message.from_.tag == "_tok~1'+`*%!-."
    assert message.max_forwards == 255


def test_escapes() -> None:
    message = request("esc01")
    assert isinstance(message.uri, SipUri)
    assert (message.uri.user, message.uri.host) == ("sips:lamp@attic.example", "stairs.example")
    assert message.to.uri == SipUri("lamp", "attic.example")
    contact = message.contacts[0].uri
    assert isinstance(contact, SipUri)
    assert contact.params == {"lr": None, "nap": "long%41"}
    one, two = request("escnull").contacts
    assert one.uri != two.uri
    assert len(request("esc02").contacts) == 2


def test_semiuri_and_unknown_schemes() -> None:
    uri = request("semiuri").uri
    assert isinstance(uri, SipUri)
    assert (uri.user, uri.params) == ("lamp;par=u@attic.example", {})
    assert request("unkscm").uri == OpaqueUri("nobodyreadsthis", "opaque")
    assert request("novelsc").uri == OpaqueUri("soap.beep", "//192.0.2.103:3002")


def test_contact_parameters_belong_where_they_stand() -> None:
    bare, enclosed = request("cparam01").contacts[0], request("cparam02").contacts[0]
    assert bare.params == {"unknownparam": None}
    assert enclosed.params == {}
    assert isinstance(enclosed.uri, SipUri)
    assert enclosed.uri.params == {"unknownparam": None}
    routed = request("regescrt").contacts[0].uri
    assert isinstance(routed, SipUri)
    assert routed.headers == (("Route", "<sip:stairs.example>"),)


def test_dblreq_and_mpart01() -> None:
    assert request("dblreq").body == b""
    assert b"\xff\x80\x00" in request("mpart01").body


def test_ports_and_ipv6() -> None:
    for name, host, port in (
        ("port-ambiguous", "2001:db8::10:5070", None),
        ("port-unambiguous", "2001:db8::10", 5070),
    ):
        uri = request(name).uri
        assert isinstance(uri, SipUri)
        assert (uri.host, uri.port) == (host, port)
    for name in ("via-received-with-delim", "via-received-no-delim"):
        assert request(name).via.received == "2001:db8::9:255"


# --- what others collected


@pytest.mark.parametrize("folder", ["rfc4475", "rfc5118"])
def test_the_rfcs_own_messages(fixtures: Path, folder: str) -> None:
    paths = sorted((fixtures / "sip" / folder).glob("*.dat"))
    assert paths
    for path in paths:
        if path.stem != "test":  # not a message of the RFC
            assert verdict(path.read_bytes()) == VERDICTS[path.stem], path.stem


def test_messages_of_other_stacks(fixtures: Path) -> None:
    for folder in ("jain", "osip", "kamailio", "lioneagle", "pjsip_fuzz", "sipgo_fuzz", "zeek_fuzz"):
        for path in (fixtures / "sip" / folder).rglob("*"):
            if path.is_file():
                verdict(path.read_bytes())
                StreamParser().receive(path.read_bytes())


def test_real_messages_are_understood(fixtures: Path) -> None:
    """What JAIN's and oSIP's suites call good is a message, but for the few that RFC 3261 does not allow."""
    refused = []
    for path in sorted((fixtures / "sip" / "jain" / "messages").glob("*_ok.sip")):
        try:
            parse_datagram(path.read_bytes())
        except ParseError:
            refused.append(path.stem)
    # A status line whose space is markup that was never replaced.
    assert set(refused) <= {"jain_363_ok"}


def test_call_flows(fixtures: Path) -> None:
    understood = 0
    for path in sorted((fixtures / "callflows").rglob("*.sip")):
        try:
            message = parse_datagram(path.read_bytes())
        except ParseError as error:
            # RFCs print "..." for a length, or leave out a part of the body.
            if error.field != "Content-Length":
                raise
            continue
        understood += 1
        length = message.headers.get("Content-Length")
        assert length is None or len(message.body) == int(length)
        assert bytes(parse_datagram(bytes(message))) == bytes(message)
    assert understood > 100


TOKENS = {
    b"<To>": b"bob@192.0.2.2",
    b"<From>": b"alice@192.0.2.1",
    b"<From-Address>": b"192.0.2.1",
    b"<From-IP>": b"192.0.2.1",
    b"<Local-Port>": b"5060",
    b"<Branch-ID>": b"77",
    b"<Call-ID>": b"call77",
    b"<CSeq>": b"1",
    b"<Teardown-Method>": b"CANCEL",
}


def protos_messages(data: bytes) -> list[bytes]:
    """The messages of one case: each is preceded by its number of octets and a space."""
    messages: list[bytes] = []
    while data:
        size, space, data = data.partition(b" ")
        if not space or not size.strip().isdigit():
            return [*messages, data]
        message, data = data[: int(size)], data[int(size) :]
        for token, value in TOKENS.items():
            message = message.replace(token, value)
        body = message.partition(b"\r\n\r\n")[2]
        messages.append(message.replace(b"<Content-Length>", str(len(body)).encode()))
    return messages


def test_protos(fixtures: Path) -> None:
    verdicts: dict[int | str, int] = {}
    with tarfile.open(fixtures / "sip" / "protos_c07.tar.xz") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is None:
                continue
            for message in protos_messages(content.read()):
                began = time.process_time()
                said = verdict(message)
                assert time.process_time() - began < 0.5, member.name
                verdicts[said] = verdicts.get(said, 0) + 1
    # The teardown of each case is a good message, and so are many of the cases themselves.
    assert verdicts[OK] > 2700
    assert set(verdicts) <= {OK, DISCARD, 400, 505, 513}


def test_index_of_verdicts(fixtures: Path) -> None:
    """Ours agree with those written beside the RFC's messages, as far as the parser has to say."""
    for entry in json.loads((fixtures / "sip" / "rfc4475" / "verdicts.json").read_text()):
        ours = VERDICTS[entry["file"].removesuffix(".dat")]
        expected = entry["expect"]
        if ours == OK:
            # Well-formed, forgivable, or refused for a reason that is not the parser's.
            assert entry["wellformed"] or expected == "400-or-liberal", entry
        elif ours == DISCARD:
            assert expected == DISCARD, entry
        else:
            assert str(ours) in str(expected) or expected == "4xx", entry
