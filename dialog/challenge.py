"""The values of the authentication fields: challenges and credentials (RFC 3261 sections 20.7, 20.27, 20.44).

    challenge    =  ("Digest" LWS digest-cln *(COMMA digest-cln)) / other-challenge
    credentials  =  ("Digest" LWS digest-response) / other-response

One field holds one challenge (RFC 3261 section 7.3.1), yet several in a field, separated by commas as HTTP
has it, are read too: some servers write them so. A challenge that cannot be used is a sentence in the list
of complaints, never an exception: it comes from the network.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from dialog.grammar import quote, unquote

__all__ = ["MAX_CHALLENGES", "Challenge", "format_auth", "read_auth", "read_challenges"]

MAX_CHALLENGES = 16
"""Challenges looked at in one response; a peer that sends more is not followed."""

_TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]++"
_SCHEME = re.compile(rf"[ \t,]*+({_TOKEN})(?:[ \t]++|(?=,)|\Z)")
# auth-param  =  auth-param-name EQUAL ( token / quoted-string )
# Lenient, as devices are not strict: a value without quotes may hold what ends nothing (base64 nonces and
# URIs are sent so), and spaces, if what follows begins no other parameter; commas between two may be missing.
_ASSIGNED = rf"{_TOKEN}[ \t]*+="
_BARE = r'[^\x00-\x20\x7f,"]'
_PARAM = re.compile(
    rf'[ \t,]*+({_TOKEN})[ \t]*+=[ \t]*+("(?:[^"\\]++|\\.)*+"|{_BARE}*+(?:[ \t]++(?!{_ASSIGNED}){_BARE}++)*+)'
    rf"(?=[ \t]*+(?:,|\Z)|[ \t]++{_ASSIGNED})",
    re.DOTALL,
)
# The rest of qop=auth,auth-int, a list that ought to be quoted.
_MORE = re.compile(rf"[ \t]*+,[ \t]*+({_TOKEN})[ \t]*+(?=,|\Z)")

# What RFC 3261 section 25.1 and RFC 7616 section 3.4 write without quotes.
_PLAIN = frozenset({"algorithm", "nc", "qop", "stale", "userhash"})


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a server wants to be answered with. `proxy` tells Proxy-Authenticate from WWW-Authenticate.

    `algorithm` is the name as the server wrote it, '' when it named none (that means MD5). `qop` holds its
    options in lower case, () when it named none (RFC 2069). `nonce` and `opaque` are kept out of the repr.
    """

    realm: str
    nonce: str = field(repr=False)
    algorithm: str = ""
    qop: tuple[str, ...] = ()
    opaque: str | None = field(default=None, repr=False)
    stale: bool = False
    userhash: bool = False
    proxy: bool = False


def read_challenges(
    values: Iterable[str], *, proxy: bool = False
) -> tuple[tuple[Challenge, ...], tuple[str, ...]]:
    """The Digest challenges of all fields of one name, in their order, and what is wrong with the others."""
    challenges: list[Challenge] = []
    complaints: list[str] = []
    for value in values:
        for scheme, params in _split(value):
            if len(challenges) + len(complaints) >= MAX_CHALLENGES:
                return tuple(challenges), tuple(complaints)
            if params is None:
                complaints.append(f"a challenge of scheme {scheme or '?'} that cannot be read")
            elif scheme.lower() != "digest":
                complaints.append(f"the scheme {scheme}, which is not Digest")
            else:
                outcome = _challenge(params, proxy)
                if isinstance(outcome, str):
                    complaints.append(outcome)
                else:
                    challenges.append(outcome)
    return tuple(challenges), tuple(complaints)


def read_auth(value: str) -> tuple[str, dict[str, str]] | None:
    """Scheme in lower case and parameters of an Authorization value; None when it cannot be read."""
    parts = _split(value)
    if len(parts) != 1 or parts[0][1] is None:
        return None
    return parts[0][0].lower(), parts[0][1]


def format_auth(params: Iterable[tuple[str, str]]) -> str:
    """A Digest value: each parameter quoted, but for those that must not be."""
    return "Digest " + ", ".join(
        f"{name}={value if name in _PLAIN else quote(value)}" for name, value in params
    )


def _challenge(params: dict[str, str], proxy: bool) -> Challenge | str:
    realm = params.get("realm")
    if realm is None:
        return "a challenge without realm"
    qop = params.get("qop")
    return Challenge(
        realm,
        # There must be one (RFC 7616 section 3.3). Who leaves it out computes with an empty one.
        params.get("nonce", ""),
        params.get("algorithm", ""),
        tuple(option.strip().lower() for option in qop.split(",") if option.strip()) if qop else (),
        params.get("opaque"),
        params.get("stale", "").lower() == "true",
        params.get("userhash", "").lower() == "true",
        proxy,
    )


def _split(value: str) -> list[tuple[str, dict[str, str] | None]]:
    """Scheme and parameters of each challenge in one value; None where they cannot be read.

    A parameter given twice with different values makes its challenge unreadable: which one counts would be a
    guess.
    """
    found: list[tuple[str, dict[str, str] | None]] = []
    position, end = 0, len(value.rstrip(" \t,"))
    while position < end and len(found) < MAX_CHALLENGES:
        scheme = _SCHEME.match(value, position)
        if scheme is None:
            found.append(("", None))
            return found
        position = scheme.end()
        params: dict[str, str] = {}
        repeated = False
        name = ""
        while position < end:
            param = _PARAM.match(value, position)
            if param is None:
                more = _MORE.match(value, position) if name == "qop" else None
                if more is None:
                    break
                params["qop"] += f",{more[1]}"
                position = more.end()
                continue
            name, text = param[1].lower(), param[2]
            text = unquote(text) if text[:1] == '"' else text
            repeated = repeated or params.setdefault(name, text) != text
            position = param.end()
        found.append((scheme[1], None if repeated else params))
        if position < end and (value[position] != "," or not _SCHEME.match(value, position)):
            found[-1] = (scheme[1], None)
            return found
    return found
