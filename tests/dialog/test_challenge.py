"""Reading and writing the values of the authentication fields."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialog.challenge import MAX_CHALLENGES, Challenge, format_auth, read_auth, read_challenges

FULL = (
    'Digest realm="atlanta.example", nonce="84a4cc6f", opaque="op", stale=TRUE, '
    'algorithm=SHA-256, qop="auth,auth-int", userhash=true, domain="sip:a sip:b"'
)


def test_every_parameter() -> None:
    (challenge,), complaints = read_challenges([FULL], proxy=True)
    assert challenge == Challenge(
        "atlanta.example", "84a4cc6f", "SHA-256", ("auth", "auth-int"), "op", True, True, True
    )
    assert complaints == ()


def test_the_least_there_may_be() -> None:
    (challenge,), _ = read_challenges(['digest  realm="r",nonce=""'])
    assert challenge == Challenge("r", "")


@pytest.mark.parametrize(
    ("value", "realm", "nonce"),
    [
        ('Digest realm="with \\"quotes\\"", nonce="n"', 'with "quotes"', "n"),
        ("Digest realm=asterisk,nonce=aGVsbG8=/x==", "asterisk", "aGVsbG8=/x=="),
        ('Digest\trealm = "r" ,\tnonce="n" ,', "r", "n"),
        ('Digest , realm="r",,nonce="n"', "r", "n"),
        ('Digest realm="köln, am Rhein", nonce="n"', "köln, am Rhein", "n"),
        ("Digest realm=Home of the Phones, nonce=n", "Home of the Phones", "n"),
        ('Digest realm="r" nonce="n" stale=FALSE', "r", "n"),
        ("Digest realm=r nonce=n", "r", "n"),
        ('Digest realm="r", nonce="n", realm="r"', "r", "n"),
        ('Digest realm="r"', "r", ""),
        ('Digest realm="", nonce="n"', "", "n"),
    ],
)
def test_spellings_that_are_seen(value: str, realm: str, nonce: str) -> None:
    (challenge,), complaints = read_challenges([value])
    assert (challenge.realm, challenge.nonce, complaints) == (realm, nonce, ())


@pytest.mark.parametrize(
    "value",
    [
        'Digest realm="r", qop="auth,auth-int", nonce="n"',
        'Digest realm="r", qop=" AUTH , auth-int ", nonce="n"',
        'Digest realm="r", qop=auth,auth-int, nonce="n"',
        'Digest realm="r", nonce="n", qop=auth , auth-int',
    ],
)
def test_lists_of_qop(value: str) -> None:
    (challenge,), complaints = read_challenges([value])
    assert (challenge.qop, challenge.nonce, complaints) == (("auth", "auth-int"), "n", ())


def test_what_others_can_answer_stands_beside_what_we_can() -> None:
    (challenge,), complaints = read_challenges(['Negotiate, NTLM TlRMTVN=, Digest realm="r", nonce="n"'])
    assert challenge == Challenge("r", "n")
    assert complaints[0] == "the scheme Negotiate, which is not Digest"


def test_several_in_one_field_and_in_several() -> None:
    one = 'Digest realm="a", nonce="1", algorithm=SHA-256, Digest realm="a", nonce="2"'
    challenges, _ = read_challenges([one, 'Digest realm="b", nonce="3"'])
    assert [(c.realm, c.nonce, c.algorithm) for c in challenges] == [
        ("a", "1", "SHA-256"),
        ("a", "2", ""),
        ("b", "3", ""),
    ]


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ('Digest nonce="n"', "a challenge without realm"),
        ('Basic realm="r"', "the scheme Basic, which is not Digest"),
        ('Digest realm="r", realm="q", nonce="n"', "a challenge of scheme Digest that cannot be read"),
        ('Digest realm="r, nonce="n"', "a challenge of scheme Digest that cannot be read"),
        ('"', "a challenge of scheme ? that cannot be read"),
        ("Digest", "a challenge without realm"),
        ("Negotiate", "the scheme Negotiate, which is not Digest"),
    ],
)
def test_what_cannot_be_used_is_a_complaint(value: str, complaint: str) -> None:
    assert read_challenges([value]) == ((), (complaint,))


def test_nothing_is_no_complaint() -> None:
    assert read_challenges([""]) == ((), ())


def test_a_flood_is_cut() -> None:
    value = ", ".join(['Digest realm="r", nonce="n"'] * 10_000)
    challenges, _ = read_challenges([value] * 10)
    assert len(challenges) == MAX_CHALLENGES


def test_credentials_are_read_back() -> None:
    params = [("username", 'a"b\\c'), ("qop", "auth"), ("nc", "00000001"), ("uri", "sip:x;y=z")]
    value = format_auth(params)
    assert value == 'Digest username="a\\"b\\\\c", qop=auth, nc=00000001, uri="sip:x;y=z"'
    assert read_auth(value) == ("digest", dict(params))


def test_a_challenge_does_not_show_its_nonce() -> None:
    assert "secret" not in repr(Challenge("r", "secret", opaque="secret"))


@pytest.mark.parametrize("value", ["", '"', 'Digest a="b', 'Digest a=b, Digest c="d"'])
def test_credentials_that_cannot_be_read(value: str) -> None:
    assert read_auth(value) is None


@given(st.text(alphabet='Digest realmnoc=,"\\ \t;<>\u00e9', max_size=200))
def test_any_text_is_read_or_complained_about(text: str) -> None:
    challenges, complaints = read_challenges([text], proxy=True)
    assert all(challenge.proxy for challenge in challenges)
    assert all(complaint for complaint in complaints)


texts = st.text(st.characters(blacklist_characters="\r\n", blacklist_categories=("Cs", "Cc")), max_size=30)


@given(texts, texts, st.sampled_from(["MD5", "SHA-256", "SHA-512-256-sess"]), st.booleans())
def test_what_we_write_we_read(realm: str, nonce: str, algorithm: str, stale: bool) -> None:
    params = [("realm", realm), ("nonce", nonce), ("algorithm", algorithm), ("stale", str(stale).lower())]
    challenges, complaints = read_challenges([format_auth(params)])
    assert complaints == ()
    assert challenges == (Challenge(realm, nonce, algorithm, stale=stale),)
