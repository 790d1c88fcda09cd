"""Digest authentication, the server's side (RFC 3261 section 22.4, RFC 7616 section 3.3, RFC 8760 section 2).

A nonce is the time it was made, some random bits, and a keyed hash of both: whether it is ours and how old it
is can be seen from itself, so that a flood of requests without credentials leaves nothing behind. Only nonces
that were used with the right password are remembered, for as long as they live, with the nonce-counts seen: a
request that is played back is challenged anew.
"""

from __future__ import annotations

import base64
import binascii
import enum
import hashlib
import hmac
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from dialog.challenge import format_auth, read_auth
from dialog.digest import Credentials, response_for, split_algorithm
from dialog.errors import ParseError
from dialog.uri import SipUri, Uri, parse_uri

__all__ = ["Authenticator", "Outcome", "Verdict"]

_MAX_NONCES = 65_536
_WINDOW = 64
"""How far a nonce-count may lag behind the highest: requests overtake each other."""


class Outcome(enum.Enum):
    """What credentials are worth."""

    ACCEPTED = enum.auto()
    MISSING = enum.auto()
    """None for our realm: challenge."""
    STALE = enum.auto()
    """The password is right, the nonce too old or used before: challenge, and say so."""
    REFUSED = enum.auto()
    """The user or the password is wrong, or what was sent makes no sense: challenge, or forbid."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, the user name it is about, and a reason for a log; it never holds a secret."""

    outcome: Outcome
    username: str = ""
    why: str = ""


class Authenticator:
    """Challenges and checks for one realm.

    `find` gives the credentials of a user name, None for strangers. `secret` makes the nonces ours. Times are
    seconds of any one clock.
    """

    def __init__(
        self,
        realm: str,
        find: Callable[[str], Credentials | None],
        secret: bytes,
        *,
        algorithms: Sequence[str] = ("SHA-256", "MD5"),
        qop: str = "auth",
        nonce_lifetime: float = 300.0,
    ) -> None:
        self.realm = realm
        self.algorithms = tuple(name for name in algorithms if split_algorithm(name) is not None)
        self.qop = qop
        self.nonce_lifetime = nonce_lifetime
        self._find = find
        self._secret = secret
        # In the order of first use; what was made first is the first to expire.
        self._counts: dict[str, _Counts] = {}

    def challenges(self, now: float, random: Random, *, stale: bool = False) -> list[str]:
        """Values for WWW-Authenticate or Proxy-Authenticate: one an algorithm, the first preferred."""
        nonce = self._make_nonce(now, random)
        values = []
        for algorithm in self.algorithms:
            params = [("realm", self.realm), ("nonce", nonce), ("algorithm", algorithm)]
            if stale:
                params.append(("stale", "true"))
            # Unlike in credentials, qop is quoted here (RFC 3261 section 25.1, qop-options).
            values.append(format_auth(params) + (f', qop="{self.qop}"' if self.qop else ""))
        return values

    def check(self, values: Sequence[str], method: str, uri: str, body: bytes, now: float) -> Verdict:
        """Judge the Authorization (or Proxy-Authorization) values of a request."""
        for value in values:
            read = read_auth(value)
            if read is not None and read[0] == "digest" and read[1].get("realm") == self.realm:
                return self._check(read[1], method, uri, body, now)
        return Verdict(Outcome.MISSING)

    def _check(self, params: dict[str, str], method: str, uri: str, body: bytes, now: float) -> Verdict:
        username, nonce = params.get("username", ""), params.get("nonce", "")
        algorithm = params.get("algorithm", "MD5")
        offered = {name.upper() for name in self.algorithms}
        if algorithm.upper() not in offered:
            return Verdict(Outcome.REFUSED, username, f"the algorithm {algorithm} was not offered")
        qop, offered_qop = params.get("qop", ""), self.qop.split(",")
        # Clients of RFC 2069's age know no qop, nor any algorithm but MD5 (RFC 3261 section 22.4). They count
        # no uses of a nonce either, so that it serves them once.
        once = not qop and algorithm.upper() == "MD5" and "auth" in offered_qop
        if qop not in offered_qop and not once:
            return Verdict(Outcome.REFUSED, username, "another qop than was offered")
        if not _same_uri(params.get("uri", ""), uri):
            return Verdict(Outcome.REFUSED, username, "credentials for another Request-URI")
        age = self._age(nonce, now)
        if age is None:
            # Not necessarily an attack: we may have been restarted with another secret.
            return Verdict(Outcome.STALE, username, "a nonce that is not ours")
        credentials = self._find(username)
        known = split_algorithm(algorithm)
        assert known is not None
        secret = credentials.hash_for(known[0], self.realm) if credentials is not None else None
        if secret is None:
            return Verdict(Outcome.REFUSED, username, "no such user")
        expected = response_for(
            secret,
            algorithm,
            method=method,
            uri=params.get("uri", ""),
            body=body,
            nonce=nonce,
            qop=qop,
            nc=params.get("nc", ""),
            cnonce=params.get("cnonce", ""),
        )
        given = params.get("response", "").lower()
        if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogateescape")):
            return Verdict(Outcome.REFUSED, username, "wrong password")
        if age > self.nonce_lifetime:
            return Verdict(Outcome.STALE, username, "the nonce is too old")
        if (qop or once) and not self._count(nonce, "1" if once else params.get("nc", ""), now):
            return Verdict(Outcome.STALE, username, "the nonce-count was used before")
        return Verdict(Outcome.ACCEPTED, username)

    def _make_nonce(self, now: float, random: Random) -> str:
        made = struct.pack("!dQ", now, random.getrandbits(64))
        return base64.b64encode(made + self._sign(made)).decode()

    def _sign(self, made: bytes) -> bytes:
        return hmac.new(self._secret, made + self.realm.encode(), hashlib.sha256).digest()[:16]

    def _age(self, nonce: str, now: float) -> float | None:
        """Seconds since a nonce was made; None when it is none of ours."""
        try:
            data = base64.b64decode(nonce.encode("ascii"), validate=True)
        except (binascii.Error, UnicodeEncodeError):
            return None
        if len(data) != 32 or not hmac.compare_digest(self._sign(data[:16]), data[16:]):
            return None
        made: float = struct.unpack("!d", data[:8])[0]
        return now - made

    def _count(self, nonce: str, nc: str, now: float) -> bool:
        """Whether this nonce-count is a new one."""
        try:
            number = int(nc, 16)
        except ValueError:
            return False
        counts = self._counts.get(nonce)
        if counts is None:
            self._forget_old(now)
            counts = self._counts[nonce] = _Counts(now)
        return counts.take(number)

    def _forget_old(self, now: float) -> None:
        while self._counts:
            oldest = next(iter(self._counts))
            expired = now - self._counts[oldest].since > self.nonce_lifetime
            if not expired and len(self._counts) < _MAX_NONCES:
                break
            del self._counts[oldest]


class _Counts:
    """The nonce-counts of one nonce: the highest, and which of those shortly below it were seen."""

    __slots__ = ("_highest", "_seen", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self._highest = 0
        self._seen = 0

    def take(self, number: int) -> bool:
        if number <= 0:
            return False
        if number > self._highest:
            self._seen = (self._seen << min(number - self._highest, _WINDOW)) | 1
            self._seen &= (1 << _WINDOW) - 1
            self._highest = number
            return True
        lag = self._highest - number
        if lag >= _WINDOW or self._seen >> lag & 1:
            return False
        self._seen |= 1 << lag
        return True


def _same_uri(one: str, other: str) -> bool:
    """Section 22.4: the digest-uri must be equivalent to the Request-URI.

    Parameters are passed over: they say how to get there, and phones add their transport here alone.
    """
    if one == other:
        return True
    try:
        return _resource(parse_uri(one)) == _resource(parse_uri(other))
    except ParseError:
        return False


def _resource(uri: Uri) -> object:
    if isinstance(uri, SipUri):
        return uri.scheme, uri.user, uri.host.lower(), uri.port
    return uri
