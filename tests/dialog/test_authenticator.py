"""The server's side of Digest: what is accepted, and what an attacker may try."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialog.authenticator import Authenticator, Outcome
from dialog.challenge import Challenge, read_challenges
from dialog.digest import Credentials, DigestSession, choose

BOB = Credentials("bob", "zanzibar")
USERS = {"bob": BOB, "hans": Credentials("hans", hashes={"MD5": "00" * 16})}
URI = "sip:a.example"


def server(**settings: Any) -> Authenticator:
    return Authenticator("a.example", USERS.get, b"key", **settings)


def session(server: Authenticator, credentials: Credentials = BOB, now: float = 0.0) -> DigestSession:
    """The answer of our own client to the server's challenge."""
    challenges, complaints = read_challenges(server.challenges(now, Random(1)))
    assert not complaints
    chosen, _ = choose(challenges)
    return DigestSession(chosen[False, "a.example"], credentials, "cnonce")


def judge(server: Authenticator, value: str, now: float = 1.0, uri: str = URI, body: bytes = b"") -> Outcome:
    return server.check([value], "REGISTER", uri, body, now).outcome


@pytest.mark.parametrize("qop", ["auth", "auth-int", "auth,auth-int", ""])
@pytest.mark.parametrize("algorithm", ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256"])
def test_our_client_is_accepted(algorithm: str, qop: str) -> None:
    one = server(algorithms=(algorithm,), qop=qop)
    value = session(one).authorize("REGISTER", URI, b"body")
    verdict = one.check(["Basic x", value], "REGISTER", URI, b"body", 1.0)
    assert (verdict.outcome, verdict.username) == (Outcome.ACCEPTED, "bob")


def test_the_strongest_is_offered_first() -> None:
    challenges, _ = read_challenges(server().challenges(0.0, Random(1)))
    assert [challenge.algorithm for challenge in challenges] == ["SHA-256", "MD5"]
    assert session(server()).challenge.algorithm == "SHA-256"


def test_stale_is_said() -> None:
    challenges, _ = read_challenges(server().challenges(0.0, Random(1), stale=True))
    assert all(challenge.stale for challenge in challenges)


def test_no_credentials_for_our_realm() -> None:
    one = server()
    assert one.check([], "REGISTER", URI, b"", 0.0).outcome is Outcome.MISSING
    other = 'Digest username="bob", realm="b.example", nonce="n", response="r"'
    assert one.check([other, "garbage\x00"], "REGISTER", URI, b"", 0.0).outcome is Outcome.MISSING


@pytest.mark.parametrize("credentials", [Credentials("bob", "wrong"), Credentials("eve", "zanzibar")])
def test_wrong_names_and_passwords(credentials: Credentials) -> None:
    one = server()
    verdict = one.check(
        [session(one, credentials).authorize("REGISTER", URI, b"")], "REGISTER", URI, b"", 1.0
    )
    assert verdict.outcome is Outcome.REFUSED
    assert "zanzibar" not in repr(verdict)


def test_a_user_whose_password_we_have_no_hash_of() -> None:
    one = server()
    value = session(one, Credentials("hans", "x")).authorize("REGISTER", URI, b"")
    assert judge(one, value) is Outcome.REFUSED


def test_a_nonce_grows_old() -> None:
    one = server(nonce_lifetime=60.0)
    client = session(one)
    assert judge(one, client.authorize("REGISTER", URI, b""), 59.0) is Outcome.ACCEPTED
    assert judge(one, client.authorize("REGISTER", URI, b""), 61.0) is Outcome.STALE


def test_a_nonce_of_somebody_else() -> None:
    one = server()
    stranger = Authenticator("a.example", USERS.get, b"another key")
    assert judge(one, session(stranger).authorize("REGISTER", URI, b"")) is Outcome.STALE


def test_played_back() -> None:
    one = server()
    client = session(one)
    values = [client.authorize("REGISTER", URI, b"") for _ in range(100)]
    assert judge(one, values[2]) is Outcome.ACCEPTED
    assert judge(one, values[2]) is Outcome.STALE
    assert judge(one, values[0]) is Outcome.ACCEPTED  # overtaken on the way
    assert judge(one, values[0]) is Outcome.STALE
    assert judge(one, values[99]) is Outcome.ACCEPTED
    assert judge(one, values[10]) is Outcome.STALE  # too late to know


def of_old(challenge: Challenge, credentials: Credentials = BOB) -> str:
    """The answer of a client that knows RFC 2069 only, whatever it was asked for."""
    return DigestSession(replace(challenge, qop=()), credentials, "c").authorize("REGISTER", URI, b"")


def test_clients_without_qop() -> None:
    """Phones that know MD5 only often leave qop out; as they count no uses, a nonce is good for one."""
    one = server(algorithms=("MD5",))
    challenges, _ = read_challenges(one.challenges(0.0, Random(1)))
    value = of_old(challenges[0])
    assert "qop" not in value
    assert judge(one, of_old(challenges[0], Credentials("bob", "wrong"))) is Outcome.REFUSED
    assert judge(one, value) is Outcome.ACCEPTED
    assert judge(one, value) is Outcome.STALE
    assert judge(one, session(one).authorize("REGISTER", URI, b"")) is Outcome.STALE  # of the same nonce


@pytest.mark.parametrize("settings", [{"algorithms": ("SHA-256",)}, {"qop": "auth-int"}])
def test_qop_is_not_left_out_where_it_protects_more(settings: dict[str, Any]) -> None:
    one = server(**settings)
    challenges, _ = read_challenges(one.challenges(0.0, Random(1)))
    assert judge(one, of_old(challenges[0])) is Outcome.REFUSED


def test_credentials_are_for_one_request() -> None:
    one = server(qop="auth-int")
    value = session(one).authorize("REGISTER", URI, b"body")
    assert judge(one, value, uri="sip:b.example", body=b"body") is Outcome.REFUSED
    assert judge(one, value, body=b"other") is Outcome.REFUSED
    assert one.check([value], "INVITE", URI, b"body", 1.0).outcome is Outcome.REFUSED
    # The same URI may be written in another way.
    assert judge(one, value, uri="sip:A.EXAMPLE", body=b"body") is Outcome.ACCEPTED


def test_a_transport_in_the_digest_uri_alone() -> None:
    one = server()
    value = session(one).authorize("REGISTER", URI + ";transport=UDP", b"")
    assert judge(one, value, uri="sip:bob@a.example") is Outcome.REFUSED
    assert judge(one, value, uri="sip:a.example:5070") is Outcome.REFUSED
    assert judge(one, value, uri="sips:a.example") is Outcome.REFUSED
    assert judge(one, value) is Outcome.ACCEPTED


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SHA-256", "MD5-sess"),
        ("qop=auth", "qop=token"),
        ("nc=00000001", "nc=x"),
        ("nc=00000001", "nc=0"),
        ('uri="sip:a.example"', 'uri="::"'),
    ],
)
def test_what_was_not_offered_or_makes_no_sense(old: str, new: str) -> None:
    one = server()
    value = session(one).authorize("REGISTER", URI, b"")
    assert old in value
    assert judge(one, value.replace(old, new)) is not Outcome.ACCEPTED


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dialog.authenticator._MAX_NONCES", 4)
    one = server(nonce_lifetime=60.0)
    for number in range(20):
        challenges, _ = read_challenges(one.challenges(0.0, Random(number)))
        value = DigestSession(challenges[0], BOB, "c").authorize("REGISTER", URI, b"")
        assert judge(one, value) is Outcome.ACCEPTED
    assert len(one._counts) == 4
    assert judge(one, session(one, now=100.0).authorize("REGISTER", URI, b""), 100.0) is Outcome.ACCEPTED
    assert len(one._counts) == 1


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_nonce_and_response_give_a_verdict(nonce: str, response: str) -> None:
    one = server()
    quoted = [text.replace("\\", "").replace('"', "") for text in (nonce, response)]
    value = (
        f'Digest username="bob", realm="a.example", uri="{URI}", algorithm=SHA-256, qop=auth, nc=1, '
        f'nonce="{quoted[0]}", response="{quoted[1]}"'
    )
    assert judge(one, value) is not Outcome.ACCEPTED
