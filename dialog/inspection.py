"""What a user agent server looks at before it processes a request (RFC 3261 section 8.2)."""

from __future__ import annotations

from typing import NamedTuple

from dialog.bodies import MULTIPART, parts_of, session_description
from dialog.config import UserAgentConfig
from dialog.errors import ParseError
from dialog.message import Request
from dialog.uri import OpaqueUri
from dialog.usage.prack import OPTION as RELIABLE
from dialog.usage.session_timer import DEFAULT_MIN_SE, knows_timer, min_se, session_expires

Fields = tuple[tuple[str, str], ...]

KNOWN_METHODS = frozenset(
    {"ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY"}
    | {"OPTIONS", "PRACK", "PUBLISH", "REFER", "REGISTER", "SUBSCRIBE", "UPDATE"}
)
"""Methods of the IANA registry: those we do not allow get 405, all others 501 (section 8.2.1, 21.5.2)."""


class Refusal(NamedTuple):
    """The response that a request gets instead of being processed."""

    status: int
    headers: Fields = ()
    reason: str | None = None


def inspect(request: Request, config: UserAgentConfig) -> Refusal | None:
    """Why a request outside of ACK and CANCEL must be refused, or None; in the order of section 8.2."""
    method = request.method
    if method not in config.allow:
        allow = (("Allow", ", ".join(config.allow)),)
        return Refusal(405 if method in KNOWN_METHODS else 501, allow)
    uri = request.uri
    if isinstance(uri, OpaqueUri) and uri.scheme != "tel":
        return Refusal(416)
    if isinstance(request.to.uri, OpaqueUri) and request.to.uri.scheme != "tel":
        return Refusal(400, (), "Unsupported URI Scheme In To")
    if "Require" in request.headers:
        known = config.option_tags
        try:
            unsupported = [tag for tag in request.require if tag.lower() not in known]
        except ParseError as error:
            return Refusal(400, (), error.reason)
        if unsupported:
            return Refusal(420, (("Unsupported", ", ".join(unsupported)),))
    if method == "INVITE":
        return (
            _inspect_body(request, config)
            or (None if takes_descriptions(request, config) else Refusal(406))
            or _inspect_extensions(request, config)
        )
    if method == "UPDATE":
        return _inspect_extensions(request, config)
    return None


def _inspect_body(request: Request, config: UserAgentConfig) -> Refusal | None:
    """Section 8.2.3: an unknown body is refused unless its Content-Disposition says it is optional.

    Beside a session description only what says itself that it is required is refused: RFC 5621 section 5
    makes every part required that does not say otherwise, which nobody who sends one means.
    """
    if not request.body:
        return None
    known = session_description(request, config.accept)
    parts = parts_of(request) if known is None or known.content is not request.body else ()
    if known is None and all(part.handling == "optional" for part in parts):
        return None
    if known is None or any(part.handling == "required" and part != known for part in parts):
        return Refusal(415, (("Accept", ", ".join((*config.accept, *MULTIPART[:1]))),))
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding and encoding.lower() != "identity":
        return Refusal(415, (("Accept-Encoding", "identity"),))
    return None


def takes_descriptions(request: Request, config: UserAgentConfig) -> bool:
    """Whether the answer may hold a session description of ours: Accept (section 20.1), if it can be read."""
    if "Accept" not in request.headers:
        return True
    try:
        elements = request.headers.split_all("Accept")
    except ParseError:
        return True
    ranges = {text.partition(";")[0].strip().lower() for text in elements}
    return any(ranges & {known, known.partition("/")[0] + "/*", "*/*"} for known in config.accept)


def _inspect_extensions(request: Request, config: UserAgentConfig) -> Refusal | None:
    """A session interval too short for us (RFC 4028 section 9), and a caller that lacks what we require."""
    if config.session_expires is not None and "Session-Expires" in request.headers:
        try:
            theirs = session_expires(request)
            min_se(request)
        except ParseError as error:
            return Refusal(400, (), error.reason)
        shortest = max(config.min_se, DEFAULT_MIN_SE)
        if theirs is not None and theirs.interval < shortest and knows_timer(request):
            return Refusal(422, (("Min-SE", str(shortest)),))
    if config.reliable_provisional == "required" and request.method == "INVITE" and request.to.tag is None:
        tags = {tag.lower() for tag in (*request.supported, *request.require)}
        if RELIABLE not in tags:
            return Refusal(421, (("Require", RELIABLE),))
    return None
