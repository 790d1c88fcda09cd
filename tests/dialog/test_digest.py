"""Digest: the vectors of the RFCs, the choice among challenges, and that nothing gives a password away."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from dialog.challenge import Challenge, read_auth
from dialog.digest import (
    ALGORITHMS,
    Credentials,
    DigestSession,
    choose,
    mask_credentials,
    qop_for,
    response_for,
    split_algorithm,
)
from dialog.errors import LocalProtocolError


def vectors(fixtures: Path) -> list[dict[str, Any]]:
    """The examples of RFC 2617 and RFC 7616."""
    folder = fixtures / "auth_nat_srtp" / "digest"
    loaded: list[dict[str, Any]] = json.loads((folder / "rfc_vectors.json").read_text(encoding="utf-8"))
    return loaded


def test_the_vectors_of_the_rfcs(fixtures: Path) -> None:
    """RFC 7616 section 3.9.2 prints a wrong value (erratum 4897); the right one is beside it."""
    for vector in vectors(fixtures):
        secret = Credentials(vector["u"], vector["p"]).hash_for(vector["alg"], vector["r"])
        assert secret is not None
        response = response_for(
            secret,
            vector["alg"],
            method=vector["m"],
            uri=vector["uri"],
            body=b"",
            nonce=vector["nonce"],
            qop=vector["qop"],
            nc=vector["nc"],
            cnonce=vector["cn"],
        )
        assert response == vector["hashlib_recomputed"], vector["src"]


def test_the_hashed_user_name_of_rfc_7616(fixtures: Path) -> None:
    vector = vectors(fixtures)[-1]
    challenge = Challenge(vector["r"], vector["nonce"], vector["alg"], ("auth",), userhash=True)
    session = DigestSession(challenge, Credentials(vector["u"], vector["p"]), vector["cn"])
    params = answer(session, vector["m"], vector["uri"])
    assert params["username"] == vector["userhash_correct"]
    assert params["response"] == vector["hashlib_recomputed"]
    assert params["userhash"] == "true"


def answer(session: DigestSession, method: str = "REGISTER", uri: str = "sip:x", body: bytes = b"") -> Any:
    read = read_auth(session.authorize(method, uri, body))
    assert read is not None
    return read[1]


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


BOB = Credentials("bob", "zanzibar")


def test_without_qop_as_rfc_2069_had_it() -> None:
    params = answer(DigestSession(Challenge("biloxi.com", "dcd98b"), BOB, "unused"), "INVITE", "sip:bob@b")
    assert set(params) == {"username", "realm", "nonce", "uri", "response"}
    a1, a2 = md5("bob:biloxi.com:zanzibar"), md5("INVITE:sip:bob@b")
    assert params["response"] == md5(f"{a1}:dcd98b:{a2}")


def test_auth_int_covers_the_body() -> None:
    session = DigestSession(Challenge("r", "n", "MD5", ("auth-int",)), BOB, "c")
    params = answer(session, "INVITE", "sip:bob@b", b"v=0")
    a2 = md5(f"INVITE:sip:bob@b:{md5('v=0')}")
    assert params["qop"] == "auth-int"
    assert params["response"] == md5(f"{md5('bob:r:zanzibar')}:n:00000001:c:auth-int:{a2}")


def test_a_sess_secret_holds_nonce_and_cnonce() -> None:
    session = DigestSession(Challenge("r", "n", "MD5-sess", ("auth",)), BOB, "c")
    secret = md5(f"{md5('bob:r:zanzibar')}:n:c")
    for count in (1, 2):
        params = answer(session)
        expected = md5(f"{secret}:n:{count:08x}:c:auth:{md5('REGISTER:sip:x')}")
        assert (params["response"], params["algorithm"]) == (expected, "MD5-sess")


def test_a_sess_answer_without_qop_tells_its_cnonce() -> None:
    assert answer(DigestSession(Challenge("r", "n", "MD5-sess"), BOB, "c"))["cnonce"] == "c"


def test_the_nonce_count_grows_and_begins_again_with_a_new_nonce() -> None:
    session = DigestSession(Challenge("r", "n", "", ("auth",), "opaque"), BOB, "c")
    assert [answer(session)["nc"] for _ in range(3)] == ["00000001", "00000002", "00000003"]
    later = answer(session.with_nonce("m"))
    assert (later["nc"], later["nonce"], later["opaque"]) == ("00000001", "m", "opaque")


def test_the_field_that_answers() -> None:
    assert DigestSession(Challenge("r", "n"), BOB, "c").field == "Authorization"
    assert DigestSession(Challenge("r", "n", proxy=True), BOB, "c").field == "Proxy-Authorization"


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("", ("MD5", False)),
        ("md5", ("MD5", False)),
        ("SHA-256-sess", ("SHA-256", True)),
        ("SHA-512-256-SESS", ("SHA-512-256", True)),
        ("MD5-sess-sess", None),
        ("AKAv1-MD5", None),
        ("SHA-512", None),
    ],
)
def test_algorithms_by_name(name: str, known: tuple[str, bool] | None) -> None:
    assert split_algorithm(name) == known


def test_the_strongest_known_is_chosen_for_each_realm() -> None:
    challenges = [
        Challenge("a", "1", "MD5"),
        Challenge("a", "2", "AKAv2-SHA-256"),
        Challenge("a", "3", "SHA-256"),
        Challenge("a", "4", "SHA-256-sess"),
        Challenge("b", "5", "MD5"),
        Challenge("a", "6", "MD5", proxy=True),
    ]
    chosen, complaints = choose(challenges)
    assert {key: challenge.nonce for key, challenge in chosen.items()} == {
        (False, "a"): "3",
        (False, "b"): "5",
        (True, "a"): "6",
    }
    assert complaints == ["the algorithm AKAv2-SHA-256 of realm 'a'"]


def test_strength_is_the_order_of_the_table() -> None:
    assert list(ALGORITHMS) == ["SHA-512-256", "SHA-256", "MD5"]


@pytest.mark.parametrize(
    ("offered", "taken"),
    [((), ""), (("auth-int", "auth"), "auth"), (("auth-int",), "auth-int"), (("token",), None)],
)
def test_quality_of_protection(offered: tuple[str, ...], taken: str | None) -> None:
    challenge = Challenge("r", "n", qop=offered)
    assert qop_for(challenge) == taken
    chosen, complaints = choose([challenge])
    assert bool(chosen) is (taken is not None)
    assert complaints == ([] if chosen else ["the qop token of realm 'r'"])


def test_a_stored_hash_stands_for_the_password() -> None:
    stored = Credentials("bob", hashes={"MD5": md5("bob:r:zanzibar")})
    challenge = Challenge("r", "n", "MD5", ("auth",))
    assert answer(DigestSession(challenge, stored, "c")) == answer(DigestSession(challenge, BOB, "c"))
    with pytest.raises(ValueError, match="no SHA-256 hash"):
        DigestSession(Challenge("r", "n", "SHA-256"), stored, "c")


def test_the_password_is_never_shown() -> None:
    hashed = Credentials("bob", "zanzibar", {"MD5": "0123abcd"})
    assert repr(hashed) == "Credentials(username='bob')"
    session = DigestSession(Challenge("r", "n"), BOB, "c")
    assert "zanzibar" not in repr(session) + session.authorize("INVITE", "sip:x", b"")


def test_a_user_name_of_two_lines_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="control characters"):
        Credentials("bob\r\nVia: x", "zanzibar")


def test_bytes_that_are_no_utf_8_are_hashed_as_they_came() -> None:
    realm = b"caf\xe9".decode("utf-8", "surrogateescape")
    secret = BOB.hash_for("MD5", realm)
    assert secret == hashlib.md5(b"bob:caf\xe9:zanzibar").hexdigest()


MESSAGE = (
    b"REGISTER sip:x SIP/2.0\r\n"
    b'authorization:  Digest username="bob", realm="r", nonce="n1", uri="sip:x",\r\n'
    b' response="0123", cnonce=abc, nc=00000001\r\n'
    b'Proxy-Authorization: Digest username="bob",response="4567"\r\n'
    b'WWW-Authenticate: Digest nonce="kept"\r\n'
    b"Content-Length: 36\r\n\r\n"
    b'Authorization: Digest response="body"'
)


def test_what_is_shown_of_a_message_answers_no_challenge() -> None:
    shown = mask_credentials(MESSAGE)
    assert b'response="***", cnonce=abc, nc=00000001' in shown
    assert b'username="bob",response="***"' in shown
    assert all(secret not in shown for secret in (b"0123", b"4567"))
    assert b'nonce="kept"' in shown
    assert shown.endswith(b'response="body"')


def test_a_message_without_credentials_is_shown_as_it_is() -> None:
    plain = MESSAGE.replace(b"uthorization", b"uthenticatio").replace(b"Proxy-A", b"X")
    assert mask_credentials(plain) is plain


def test_credentials_after_a_ping_are_masked_too() -> None:
    assert mask_credentials(b"\r\n\r\n" + MESSAGE) == b"\r\n\r\n" + mask_credentials(MESSAGE)
