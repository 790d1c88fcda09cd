"""Digest access authentication, the client's side (RFC 3261 section 22.4, RFC 7616, RFC 8760).

    response = H(H(A1) : nonce : nc : cnonce : qop : H(A2))       or, without qop, H(H(A1) : nonce : H(A2))
    A1       = username : realm : password                        or, -sess, H(that) : nonce : cnonce
    A2       = method : uri                                       or, auth-int, method : uri : H(body)

Names, passwords and realms are hashed as UTF-8, as SIP is. A password is in no repr, log or exception.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from dialog.challenge import Challenge, format_auth
from dialog.errors import LocalProtocolError

__all__ = [
    "ALGORITHMS",
    "Credentials",
    "DigestSession",
    "choose",
    "mask_credentials",
    "qop_for",
    "response_for",
]

Hash = Callable[[bytes], str]


def _hasher(name: str) -> Hash:
    # Not for security: systems in FIPS mode have MD5 for this purpose only.
    return lambda data: hashlib.new(name, data, usedforsecurity=False).hexdigest()


ALGORITHMS: Mapping[str, Hash] = {
    name: _hasher(function)
    for name, function in (("SHA-512-256", "sha512_256"), ("SHA-256", "sha256"), ("MD5", "md5"))
    if function in hashlib.algorithms_available
}
"""The hash functions by their names in RFC 8760, strongest first; each has a -sess form too."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and its password, or the hashes that stand for it.

    `hashes` maps an algorithm to H(username:realm:password), for a store that keeps no passwords; they are
    good for one realm only.
    """

    username: str
    password: str = field(default="", repr=False)
    hashes: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if any(character < " " or character == "\x7f" for character in self.username):
            raise LocalProtocolError("a user name must not hold control characters")

    def hash_for(self, algorithm: str, realm: str) -> str | None:
        """H(username:realm:password); None for an algorithm that there is no hash of."""
        if self.hashes:
            return self.hashes.get(algorithm)
        return ALGORITHMS[algorithm](_bytes(f"{self.username}:{realm}:{self.password}"))


def split_algorithm(name: str) -> tuple[str, bool] | None:
    """Hash function and whether it is a -sess form; None for an algorithm that we do not know."""
    base, sess, rest = (name or "MD5").upper().partition("-SESS")
    return None if rest or base not in ALGORITHMS else (base, bool(sess))


def qop_for(challenge: Challenge) -> str | None:
    """The quality of protection to answer with: '' for none; None when only unknown ones are offered.

    `auth` before `auth-int`: application gateways rewrite bodies, and RFC 3261 gives no integrity through
    them. A peer that wants it offers nothing else.
    """
    if not challenge.qop:
        return ""
    return next((option for option in ("auth", "auth-int") if option in challenge.qop), None)


def choose(challenges: Iterable[Challenge]) -> tuple[dict[tuple[bool, str], Challenge], list[str]]:
    """The challenge to answer for each (proxy, realm): the strongest that we know, the first among equals.

    With it, sentences about those that cannot be answered.
    """
    chosen: dict[tuple[bool, str], Challenge] = {}
    complaints = []
    order = list(ALGORITHMS)
    for challenge in challenges:
        algorithm = split_algorithm(challenge.algorithm)
        if algorithm is None:
            complaints.append(f"the algorithm {challenge.algorithm} of realm {challenge.realm!r}")
        elif qop_for(challenge) is None:
            complaints.append(f"the qop {','.join(challenge.qop)} of realm {challenge.realm!r}")
        else:
            key = challenge.proxy, challenge.realm
            rival = split_algorithm(chosen[key].algorithm) if key in chosen else None
            if rival is None or order.index(algorithm[0]) < order.index(rival[0]):
                chosen[key] = challenge
    return chosen, complaints


def response_for(
    secret: str,
    algorithm: str,
    *,
    method: str,
    uri: str,
    body: bytes,
    nonce: str,
    qop: str,
    nc: str,
    cnonce: str,
) -> str:
    """The request-digest. `secret` is H(username:realm:password), `algorithm` one that we know."""
    known = split_algorithm(algorithm)
    assert known is not None
    digest = ALGORITHMS[known[0]]
    if known[1]:
        secret = digest(_bytes(f"{secret}:{nonce}:{cnonce}"))
    a2 = f"{method}:{uri}"
    if qop == "auth-int":
        a2 = f"{a2}:{digest(body)}"
    middle = f"{nonce}:{nc}:{cnonce}:{qop}" if qop else nonce
    return digest(_bytes(f"{secret}:{middle}:{digest(_bytes(a2))}"))


class DigestSession:
    """One challenge that we answer, again and again with a growing nonce-count (RFC 7616 section 3.4).

    The cnonce stays the same as long as the nonce does: a -sess secret is made of it, and no server minds.
    """

    __slots__ = ("_cnonce", "_count", "_secret", "challenge", "credentials")

    def __init__(self, challenge: Challenge, credentials: Credentials, cnonce: str) -> None:
        """`challenge` is one that `choose` gave. ValueError when `credentials` have no hash for it."""
        known = split_algorithm(challenge.algorithm)
        assert known is not None
        secret = credentials.hash_for(known[0], challenge.realm)
        if secret is None:
            raise ValueError(f"no {known[0]} hash for realm {challenge.realm!r}")
        self.challenge = challenge
        self.credentials = credentials
        self._cnonce = cnonce
        self._count = 0
        self._secret = secret

    @property
    def field(self) -> str:
        """The name of the header field that answers."""
        return "Proxy-Authorization" if self.challenge.proxy else "Authorization"

    def with_nonce(self, nonce: str) -> DigestSession:
        """The same session with the nonce that the server wants from now on."""
        return DigestSession(replace(self.challenge, nonce=nonce), self.credentials, self._cnonce)

    def authorize(self, method: str, uri: str, body: bytes) -> str:
        """The value for one request; each call is counted."""
        challenge = self.challenge
        self._count += 1
        nc = f"{self._count:08x}"
        qop = qop_for(challenge) or ""
        known = split_algorithm(challenge.algorithm)
        assert known is not None
        username = self.credentials.username
        if challenge.userhash:
            username = ALGORITHMS[known[0]](_bytes(f"{username}:{challenge.realm}"))
        response = response_for(
            self._secret,
            challenge.algorithm,
            method=method,
            uri=uri,
            body=body,
            nonce=challenge.nonce,
            qop=qop,
            nc=nc,
            cnonce=self._cnonce,
        )
        params = [
            ("username", username),
            ("realm", challenge.realm),
            ("nonce", challenge.nonce),
            ("uri", uri),
            ("response", response),
        ]
        if challenge.algorithm:
            params.append(("algorithm", challenge.algorithm))
        if qop:
            params += [("cnonce", self._cnonce), ("qop", qop), ("nc", nc)]
        elif known[1]:
            params.append(("cnonce", self._cnonce))
        if challenge.opaque is not None:
            params.append(("opaque", challenge.opaque))
        if challenge.userhash:
            params.append(("userhash", "true"))
        return format_auth(params)


def _bytes(text: str) -> bytes:
    # What came from the wire may hold bytes that are no UTF-8; they are hashed as they came.
    return text.encode("utf-8", "surrogateescape")


_CREDENTIALS = re.compile(rb"^(?:proxy-)?authorization[ \t]*:", re.IGNORECASE | re.MULTILINE)
_RESPONSE = re.compile(rb'\b(response)([ \t]*=[ \t]*)(?:"[^"\r\n]*"|[^,\s]*)', re.IGNORECASE)


def mask_credentials(data: bytes) -> bytes:
    """A message as it may be shown and saved: without what a password could be guessed from.

    Only Authorization and Proxy-Authorization are touched, and of these only `response`.
    """
    if _CREDENTIALS.search(data) is None:
        return data
    before = data[: len(data) - len(data.lstrip(b"\r\n"))]
    head, separator, body = data[len(before) :].partition(b"\r\n\r\n")
    lines = [
        _RESPONSE.sub(rb'\1\2"***"', line) if _CREDENTIALS.match(line) else line
        for line in re.split(rb"(?<=\n)(?![ \t])", head)
    ]
    return before + b"".join(lines) + separator + body
