"""What can go wrong with a phone and its calls.

    SipMediaError
    +-- CallFailed              the call was not answered: SIP status, reason and cause
    +-- CallEnded               the call is over; what was asked needs a call that is up
    +-- ModificationFailed      hold, resume or a codec change was refused; the call goes on as it was
    +-- NotRegistered           the registrar refused, or did not answer
    +-- TransferFailed          the far end would not or could not call somebody else; the call goes on
    +-- RequestFailed           a message or question was not answered, or refused
    +-- SubscriptionFailed      a subscription or publication was refused, or nobody answered
    +-- BadBody                 a body that is not what its type says
    +-- InvalidAddress          a URI or HOST:PORT that cannot be used
    +-- AddressInUse            somebody else listens where the phone wants to
    +-- TransportUnavailable    a transport lacks a certificate that can be used, or its package
    +-- PhoneClosed             the phone was not opened, or is closed
    +-- InvalidCallState        asked in the wrong order (answering twice, say)

Errors of the media (``media.MediaError``: no ports left, no such codec) and of a wrongly used dialog
(``dialog.LocalProtocolError``) are passed on as they are: they name the cause better than a wrapper would.
"""

from typing import Literal

from dialog.status import reason_phrase

FailureCause = Literal["rejected", "timeout", "transport", "cancelled", "no_ack", "media", "closed"]
"""Why a call came to nothing: the far end said no, nobody answered in time, the network is gone, we gave up,
our answer was never acknowledged, no sound could be agreed upon, or the phone is closing."""

_SENTENCES = {
    300: "the far end names several other addresses to call",
    301: "the far end has moved for good: call the address it names",
    302: "the far end has moved: call the address it names",
    305: "the far end wants to be called through a proxy",
    400: "the far end could not read our request",
    401: "the far end wants a password",
    403: "the far end forbids this call",
    404: "there is no such user at the far end",
    405: "the far end does not take calls",
    407: "a proxy wants a password",
    408: "nobody answered: no reply within the time allowed",
    410: "that user is gone for good",
    415: "the far end does not understand SDP",
    420: "the far end lacks an extension that we require",
    480: "the far end is not available now",
    481: "the far end does not know this call",
    484: "the address is incomplete",
    486: "the far end is busy",
    487: "the call was cancelled before anybody answered",
    488: "no common codec: the far end cannot use the media we offer",
    500: "the far end had an internal error",
    501: "the far end does not take calls",
    503: "the far end takes no calls now",
    600: "the far end is busy everywhere",
    603: "the far end declined the call",
    604: "that user exists nowhere",
    606: "no common codec: the far end cannot use the media we offer",
}

_CAUSES = {
    "timeout": "nobody answered: no reply within the time allowed",
    "transport": "the far end cannot be reached (no such host, nobody listens there, or no network)",
    "cancelled": "the call was cancelled before anybody answered",
    "no_ack": "the caller never acknowledged our answer",
    "media": "no sound could be agreed upon",
    "closed": "the phone is closing",
}


def sentence(status: int, reason: str = "", cause: str = "rejected") -> str:
    """A plain sentence for a failed call: what happened, in words of a person who knows no SIP."""
    if cause == "transport" and reason not in ("", reason_phrase(503)):
        return f"the far end cannot be reached: {reason}"  # there was no answer: the reason is ours
    if cause in _CAUSES and not (cause == "media" and reason):
        text = _CAUSES[cause]
    elif cause == "media":
        text = reason
    else:
        text = _SENTENCES.get(status, "the far end refused the call")
    return f"{text} ({status} {reason})" if status and cause != "media" else text


class SipMediaError(Exception):
    """The root of all errors that this package raises itself."""


class CallFailed(SipMediaError):
    """A call that was not answered.

    ``status`` and ``reason`` are those of the SIP answer (408 and 503 stand in when none came),
    ``cause`` says who or what ended it, ``warning`` is the text of the answer's Warning header, if it had one
    (RFC 3261 s20.43), ``retry_after`` the seconds after which to try again, if it named
    them; ``str()`` is a sentence for a person.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        cause: FailureCause = "rejected",
        warning: str = "",
        retry_after: int | None = None,
    ) -> None:
        text = sentence(status, reason, cause)
        super().__init__(f"{text}: {warning}" if warning else text)
        self.warning = warning
        self.retry_after = retry_after
        self.status = status
        self.reason = reason
        self.cause: FailureCause = cause


class CallEnded(SipMediaError):
    """The call is over, so what was asked for cannot be done any more."""


class ModificationFailed(SipMediaError):
    """A re-INVITE of ours was refused (RFC 3261 s14.1): the call goes on exactly as before."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"the far end refused the change ({status} {reason}); the call goes on as it was")
        self.status = status
        self.reason = reason


class NotRegistered(SipMediaError):
    """The registrar did not agree to an account's registration; ``why`` says what we know of the cause."""

    def __init__(self, status: int, reason: str, why: str = "") -> None:
        text = (
            f"the registrar refused ({status} {reason})"
            if status not in (408, 503)
            else (f"the registrar does not answer ({status} {reason})")
        )
        super().__init__(f"{text}: {why}" if why else text)
        self.status = status
        self.reason = reason
        self.why = why


class TransferFailed(SipMediaError):
    """The transfer came to nothing: the call goes on.

    ``status`` and ``reason`` are those of the refusal; ``taken``: the far end took it on, and it is the party
    it called that refused.
    """

    def __init__(self, status: int, reason: str, *, taken: bool) -> None:
        who = "the party to transfer to refused" if taken else "the far end refused the transfer"
        super().__init__(f"{who} ({status} {reason}); the call goes on")
        self.status = status
        self.reason = reason
        self.taken = taken


class RequestFailed(SipMediaError):
    """A request outside calls was refused, or not answered (408 and 503 stand in then)."""

    def __init__(self, method: str, status: int, reason: str) -> None:
        super().__init__(f"{method} failed: {status} {reason}")
        self.method = method
        self.status = status
        self.reason = reason


class SubscriptionFailed(SipMediaError):
    """A subscription or publication was refused, or nobody answered (408)."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"the subscription came to nothing: {status} {reason}")
        self.status = status
        self.reason = reason


class BadBody(SipMediaError):
    """The body of an event package that is not what its type says (:mod:`sipmedia.packages`)."""


class InvalidAddress(SipMediaError):
    """A SIP URI, HOST:PORT or port range that cannot be used; the message says what to write instead."""


class AddressInUse(SipMediaError):
    """The phone's address is taken, or is none of this machine's."""

    def __init__(self, host: str, port: int, why: str) -> None:
        super().__init__(why)
        self.host = host
        self.port = port


class TransportUnavailable(SipMediaError):
    """One of the phone's transports cannot be used; the message says what is missing or wrong."""


class PhoneClosed(SipMediaError):
    """The phone has not been opened (``async with Softphone(...)``) or is closed already."""


class InvalidCallState(SipMediaError):
    """Asked in the wrong order: the message names the state the call is in."""
