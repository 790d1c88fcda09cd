"""The grammar of RFC 3261 section 25.1 as named expressions, each under its ABNF rule.

Values are matched after folding is undone, so linear white space is only SP and HTAB here, and SWS and
the LWS around separators (RFC 3261's SLASH, SEMI, EQUAL...) are `WS*`. Every repeat is possessive or over
one character class followed by a character outside it: no input makes a match take more than linear time.

Where we are more lenient than the ABNF, the comment says for whom.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from dialog.errors import ParseError

__all__ = [
    "CSEQ",
    "FOLD",
    "LINE_ENDS",
    "LIST_ELEMENT",
    "NAME_ADDR",
    "SIP_URI",
    "SIP_VERSION",
    "STATUS_CODE",
    "TOKEN",
    "URI_SCHEME",
    "VIA",
    "delta_seconds",
    "format_params",
    "parse_params",
    "quote",
    "unquote",
]

# LWS  =  [*WSP CRLF] 1*WSP ; linear whitespace
# Only the line end and what follows it: white space before it may stay, it is one LWS all the same, and a
# leading repeat would make the search quadratic.
FOLD = re.compile(r"\r\n[ \t]++")
_SWS = r"[ \t]*+"

# The line ends before a start line (section 7.5) and the keep-alives of RFC 5626 section 3.5.1.
LINE_ENDS = re.compile(rb"[\r\n]++")

# SIP-Version  =  "SIP" "/" 1*DIGIT "." 1*DIGIT
SIP_VERSION = re.compile(r"[sS][iI][pP]/[0-9]++\.[0-9]++")

# token  =  1*(alphanum / "-" / "." / "!" / "%" / "*" / "_" / "+" / "`" / "'" / "~" )
_TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]++"
TOKEN = re.compile(_TOKEN)

# quoted-string  =  SWS DQUOTE *(qdtext / quoted-pair ) DQUOTE
# Lenient: any character but the quote and the backslash, control characters included.
_QUOTED = r'"(?:[^"\\]++|\\.)*+"'

# host           =  hostname / IPv4address / IPv6reference
# IPv6reference  =  "[" IPv6address "]"
# Lenient: "_" in names (container and Windows hosts), a zone identifier (RFC 6874) in references.
_HOST = r"(?:[A-Za-z0-9._\-]++|\[[0-9A-Fa-f:.]++(?:%[A-Za-z0-9._~%\-]++)?\])"

# generic-param  =  token [ EQUAL gen-value ]
# gen-value      =  token / host / quoted-string
# Lenient: a value may hold whatever does not end it (tags with "@" or "=" are seen).
_PARAM = re.compile(
    rf'{_SWS};{_SWS}({_TOKEN})(?:{_SWS}(=){_SWS}([^\x00-\x20\x7f;,"<>]++|{_QUOTED})?)?{_SWS}', re.DOTALL
)

# CSeq  =  "CSeq" HCOLON 1*DIGIT LWS Method
CSEQ = re.compile(rf"{_SWS}([0-9]++)[ \t]++({_TOKEN}){_SWS}")

# via-parm       =  sent-protocol LWS sent-by *( SEMI via-params )
# sent-protocol  =  protocol-name SLASH protocol-version SLASH transport
# sent-by        =  host [ COLON port ]
VIA = re.compile(
    rf"{_SWS}({_TOKEN}){_SWS}/{_SWS}({_TOKEN}){_SWS}/{_SWS}({_TOKEN})[ \t]++"
    rf"({_HOST})(?:{_SWS}:{_SWS}([0-9]{{1,5}}+))?{_SWS}((?:;.*+)?)",
    re.DOTALL,
)

# name-addr     =  [ display-name ] LAQUOT addr-spec RAQUOT
# display-name  =  *(token LWS) / quoted-string
# Lenient: a display name without quotes may hold anything but a quote (RFC 4475 section 3.1.2.15), needs no
# white space after it (3.1.1.6), and the URI may have white space around it (3.1.2.14).
NAME_ADDR = re.compile(rf'{_SWS}(?:({_QUOTED})|([^"<]*+)){_SWS}<{_SWS}([^<>]*+)>{_SWS}((?:;.*+)?)', re.DOTALL)

# SIP-URI          =  "sip:" [ userinfo ] hostport uri-parameters [ headers ]
# userinfo         =  ( user / telephone-subscriber ) [ ":" password ] "@"
# uri-parameters   =  *( ";" uri-parameter)
# headers          =  "?" header *( "&" header )
# Lenient: user and password may hold any visible character that ends nothing ("#" in feature codes).
_USERCHARS = r'(?:[^\x00-\x20\x7f@:<>"%]++|%[0-9A-Fa-f]{2})'
SIP_URI = re.compile(
    rf"([sS][iI][pP][sS]?):(?:({_USERCHARS}++)(?::({_USERCHARS}*+))?@)?"
    rf"({_HOST})(?::([0-9]{{1,5}}+))?"
    r'((?:;[^\x00-\x20\x7f;?<>"@]++)*+)(?:\?([^\x00-\x20\x7f<>"@]*+))?'
)

# absoluteURI  =  scheme ":" ( hier-part / opaque-part )
# scheme       =  ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )
URI_SCHEME = re.compile(r'([A-Za-z][A-Za-z0-9+.\-]*+):([^\x00-\x20\x7f<>"]++)')

# Status-Code  =  Informational / Redirection / Success / Client-Error / Server-Error / Global-Failure
STATUS_CODE = re.compile(r"[1-6][0-9][0-9]")

# One element of a comma-separated list; commas inside quotes and angle brackets do not separate.
LIST_ELEMENT = re.compile(rf'(?:[^,"<]++|{_QUOTED}|<[^>]*+>)*+', re.DOTALL)

_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9\-.!%*_+`'~\[\]:/@]++")


def delta_seconds(text: str | None) -> int | None:
    """The number of a `delta-seconds = 1*DIGIT`; None for anything else, and for more than ten digits."""
    return int(text) if text and len(text) <= 10 and text.isascii() and text.isdecimal() else None


def parse_params(text: str, field: str) -> dict[str, str | None]:
    """Read ``;name=value;flag`` into a dict, names in lower case, quotes of values undone.

    A parameter without a value is None. ParseError (400) naming `field` on anything else, on an empty
    parameter, and on a name that appears twice (RFC 3261 section 7.3.1: it MUST NOT) with another value;
    some peers add their tag to a To that has one already, and mean the first.
    """
    params: dict[str, str | None] = {}
    position, end = 0, len(text)
    match_at = _PARAM.match
    while position < end:
        match = match_at(text, position)
        if match is None:
            raise ParseError(400, f"Bad Parameters In {field}", field)
        name, equal, value = match.groups()
        name = name.lower()
        if value is None:
            # "rport=" is sent by real devices for the flag "rport".
            if equal and name != "rport":
                raise ParseError(400, f"Empty Parameter In {field}", field)
        elif value[0] == '"':
            value = unquote(value)
        if params.setdefault(name, value) != value and (name, field) != ("tag", "To"):
            raise ParseError(400, f"Repeated Parameter In {field}", field)
        position = match.end()
    return params


def format_params(params: Mapping[str, str | None]) -> str:
    """Write parameters as ``;name=value;flag``, quoting the values that need it."""
    return "".join(
        f";{name}" if value is None else f";{name}={value if _PLAIN_VALUE.fullmatch(value) else quote(value)}"
        for name, value in params.items()
    )


def quote(text: str) -> str:
    """Write a quoted-string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def unquote(text: str) -> str:
    """Undo a quoted-string: the quotes around it and the backslashes in it."""
    text = text[1:-1]
    return _QUOTED_PAIR.sub(r"\1", text) if "\\" in text else text
