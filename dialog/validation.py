"""What has to be right in a message before anything is done with it (RFC 3261 sections 8.1.3.3, 8.2, 16.3).

The parser only cuts; here the fields that every message is processed by are read, once, and stay read.
Fields that are not needed are not looked at: a malformed Date harms nobody (section 8.2, RFC 4475 3.1.2.12).
"""

from __future__ import annotations

from dialog.errors import ParseError
from dialog.message import Message, Request, Response
from dialog.via import MAGIC_COOKIE

__all__ = ["validate_request", "validate_response"]

_ONCE = ("Call-ID", "CSeq", "From", "To", "Content-Type", "Max-Forwards")


def validate_request(request: Request) -> None:
    """Raise ParseError, with the status to answer and the request as its `message`, if it cannot be used.

    Call it once for each request that was received, before matching it to a transaction. A missing
    Max-Forwards, From tag or branch is accepted (RFC 4475 section 3.4.1). Whether the method, the URI's
    scheme, the extensions and the body are supported is for the user agent to say.
    """
    try:
        _validate(request)
        # Cheap once read: the text of a URI that was seen lately is not read again.
        _ = request.uri
        _ = request.max_forwards
        if "Contact" in request.headers:
            _ = request.contacts
        if "Record-Route" in request.headers:
            _ = request.record_routes
    except ParseError as error:
        error.message = request
        raise
    if request.cseq.method != request.method:
        raise ParseError(400, "CSeq Method Does Not Match", "CSeq", request)


def validate_response(response: Response, *, forwarded: bool = False) -> None:
    """Raise ParseError without a status if the response cannot be used; it is to be dropped then.

    Two Via values mean that it was for somebody else (section 8.1.3.3, RFC 4475 section 3.3.10), unless it is
    one of a request that we `forwarded`.
    """
    try:
        _validate(response)
        # A registrar tells of all phones of an address: one that writes nonsense must not hurt the others.
        if "Contact" in response.headers and response.cseq.method != "REGISTER":
            _ = response.contacts
        if "Record-Route" in response.headers:
            _ = response.record_routes
        if not forwarded and len(response.headers.split_all("Via")) > 1:
            raise ParseError(None, "More Than One Via In A Response", "Via")
    except ParseError as error:
        error.status = None
        raise


def _validate(message: Message) -> None:
    via = message.via
    if via.protocol != "SIP/2.0":
        raise ParseError(400, "Bad Protocol In Via", "Via")
    if via.branch == MAGIC_COOKIE:
        # Unique by no rule, old or new (RFC 4475 section 3.2.1).
        raise ParseError(400, "Empty Branch In Via", "Via")
    if not message.call_id:
        raise ParseError(400, "Empty Call-ID", "Call-ID")
    _ = message.cseq
    _ = message.from_
    _ = message.to
    repeated = message.headers.first_repeated(_ONCE)
    if repeated is not None:
        raise ParseError(400, f"Repeated {repeated}", repeated)
