"""The Reason header field (RFC 3326): why a call was ended, in a form for SIP and in words."""

from __future__ import annotations

import re

from dialog import events as sip
from dialog.status import reason_phrase
from media import BadSdp, MediaError
from sipmedia.errors import CallFailed
from sipmedia.offer_answer import warning_text

_SECONDS = re.compile(r"[ \t]*([0-9]{1,9})[ \t]*(?:[(;]|\Z)")
_TEXT = re.compile(r';\s*text\s*=\s*"((?:[^"\\]|\\.)*)"', re.IGNORECASE)


def failure_of(event: sip.CallFailed) -> CallFailed:
    """Why a call failed, with what the final response says beside its status."""
    if event.cause == "no_description":  # it was answered, and we hung up
        return unusable(None)
    response = event.response
    if response is None:
        return CallFailed(event.status, event.reason, event.cause)
    warning = warning_text(response.headers.get("Warning") or "")
    retry_after = seconds_of(response.headers.get("Retry-After") or "")
    return CallFailed(event.status, event.reason, event.cause, warning, retry_after)


def unusable(error: MediaError | None) -> CallFailed:
    """Why an answered call was given up: what its description lacks, ``None``: there was none."""
    if error is None:
        words = "the far end answered without saying what sound it takes"
    elif isinstance(error, BadSdp):
        words = f"the far end's SDP could not be read: {str(error).removeprefix('bad SDP: ')}"
    else:
        words = str(error)
    return CallFailed(488, words, "media")


def seconds_of(value: str) -> int | None:
    """The seconds of a Retry-After (RFC 3261 s20.33); None when it has none."""
    match = _SECONDS.match(value)
    return int(match[1]) if match is not None else None


def reason_header(status: int, words: str | None = None) -> str:
    """The value that names a SIP status, with its own words or better ones (no quotes in them)."""
    return f'SIP;cause={status};text="{words or reason_phrase(status)}"'


def reason_text(words: str) -> str:
    """The value that says why in words alone (no status fits a person's reasons)."""
    quoted = " ".join(words.split()).replace("\\", "\\\\").replace('"', '\\"')
    return f'SIP;text="{quoted}"'


def reason_words(value: str) -> str:
    """What a Reason value says to a person: its text, or all of it when it has none."""
    match = _TEXT.search(value)
    return re.sub(r"\\(.)", r"\1", match[1]) if match is not None else value
