"""Which transaction a message belongs to (RFC 3261 sections 17.1.3, 17.2.3 and 8.2.2.2)."""

from __future__ import annotations

from dialog.message import Request, Response

ClientKey = tuple[str, str]
ServerKey = tuple[str, ...]
MergeKey = tuple[str, str, str, str]


def client_key(response: Response) -> ClientKey:
    """The branch of the topmost Via and the method of the CSeq; ParseError when they are unreadable."""
    return response.via.branch or "", response.cseq.method


def server_key(request: Request, method: str | None = None) -> ServerKey:
    """What a request shares with its retransmissions; an ACK has the key of its INVITE.

    With the magic cookie: branch, sent-by and method. Without it, by the rules for RFC 2543 clients: the
    Request-URI, the From tag, Call-ID, CSeq number and the whole top Via. The To tag is left out there: an
    ACK carries the one that our response gave, and everything else already tells transactions apart.
    `method` replaces the request's own: a CANCEL is matched as "INVITE".
    """
    method = method or request.method
    if method == "ACK":
        method = "INVITE"
    via = request.via
    if via.follows_rfc3261:
        host, port = via.sent_by
        # Without regard to case, as every parameter value that is a token (section 7.3.1).
        return (via.branch or "").lower(), host, str(port or 5060), method
    return (
        method,
        request.request_uri,
        request.from_.tag or "",
        request.call_id,
        str(request.cseq.number),
        # Without what we put there ourselves.
        str(via.with_params(received=None, rport=None)),
    )


def merge_key(request: Request) -> MergeKey | None:
    """What a request shares with copies of it that came by another way; None when it cannot have any.

    Only requests outside a dialog are merged, and a CANCEL follows its INVITE's way.
    """
    if request.method in ("ACK", "CANCEL") or request.to.tag is not None:
        return None
    cseq = request.cseq
    return request.from_.tag or "", request.call_id, str(cseq.number), cseq.method
