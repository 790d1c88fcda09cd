"""What a SIP message means to a person who knows no SIP.

Only the start line, CSeq and the body's media lines are looked at; it must say something sensible about
messages that the protocol refused, so it takes bytes, not parsed messages.
"""

from __future__ import annotations

import re

_HEAD_ENDS = re.compile(rb"\r?\n\r?\n")
_CSEQ = re.compile(rb"^cseq[ \t]*:[ \t]*[0-9]+[ \t]+(\S+)", re.IGNORECASE | re.MULTILINE)
_AUDIO = re.compile(r"^m=audio (\d+) \S+ (.+?)\r?$", re.MULTILINE)
_RTPMAP = re.compile(r"^a=rtpmap:(\d+) ([^/\s]+)", re.MULTILINE)
_DIRECTION = re.compile(r"^a=(sendrecv|sendonly|recvonly|inactive)\r?$", re.MULTILINE)
_STATIC_NAMES = {"0": "PCMU", "3": "GSM", "8": "PCMA", "9": "G722", "18": "G729"}

_PROVISIONAL = {
    100: "request received, working on it",
    180: "{me}'s phone rings",
    181: "the call is being forwarded",
    182: "the call waits in a queue",
    183: "the call makes progress",
}
_FAILURES = {
    401: "{me} wants a password",
    407: "{me} wants a password",
    403: "{me} forbids the call",
    404: "{me} is unknown there",
    408: "no reply in time",
    415: "{me} does not understand the description",
    420: "{me} lacks an extension that {you} requires",
    480: "{me} is not available now",
    481: "{me} knows of no such call",
    486: "{me} is busy",
    487: "the call was cancelled",
    488: "{me} cannot use this media",
    491: "{me} is changing the call, too: try again later",
    500: "{me} had an internal error",
    503: "{me} takes no calls now",
    600: "{me} is busy everywhere",
    603: "{me} declines the call",
    606: "{me} cannot use this media",
}


def head_and_body(data: bytes) -> tuple[bytes, bytes]:
    """A message in two, however its lines end; of one that stops before the blank line all is head."""
    parts = _HEAD_ENDS.split(data.lstrip(b"\r\n"), maxsplit=1)
    return parts[0], parts[1] if len(parts) == 2 else b""


class Explainer:
    """Explains the messages of one call in order; it remembers whether the call is up."""

    def __init__(self, local: str, remote: str) -> None:
        self._names = (local, remote)
        self._up = False
        self._held = False
        self._offering = ""  # what the last INVITE was for

    def explain(self, data: bytes, source: int) -> tuple[str, str]:
        """Label and meaning of a message sent by lane ``source``."""
        head, body = head_and_body(data)
        line, _, _ = head.partition(b"\n")
        words = line.rstrip(b"\r").decode("utf-8", "replace").split(" ", 2)
        media = describe_audio(body.decode("utf-8", "replace")) if body else ""
        me, you = self._names[source], self._names[1 - source]
        if words[0].startswith("SIP/") and len(words) >= 2 and words[1].isdecimal():
            cseq = _CSEQ.search(head)
            method = cseq[1].decode("ascii", "replace").upper() if cseq else ""
            return " ".join(words[1:]), self._response(int(words[1]), method, media, me, you)
        return words[0], self._request(words[0], media, me, you)

    def _request(self, method: str, media: str, me: str, you: str) -> str:
        match method:
            case "INVITE" if self._up:
                self._offering = self._change(media)
                return f"{me} wants {self._offering}" + (f": {media}" if media else "")
            case "INVITE":
                return f"{me} calls {you}" + (f", offers {media}" if media else "; no offer yet")
            case "ACK":
                return f"{me} confirms" + (f" with {_chosen(media)}" if media else "")
            case "BYE":
                return f"{me} hangs up"
            case "CANCEL":
                return f"{me} gives up calling"
            case "OPTIONS":
                return f"{me} asks what {you} can do"
            case "INFO":
                return f"{me} sends a notice inside the call"
        return ""

    def _change(self, media: str) -> str:
        """What a re-INVITE is for."""
        held, self._held = self._held, "(on hold)" in media or "(silent)" in media
        if self._held:
            return "to hold the call"
        if held:
            return "to go on"
        return "to change the codecs" if media else "to hear an offer"

    def _response(self, status: int, method: str, media: str, me: str, you: str) -> str:
        if status < 200:
            text = _PROVISIONAL.get(status, "the call makes progress").format(me=me)
            return text + (f", early sound {media}" if media else "")
        if status >= 300:
            return _FAILURES.get(status, "{me} refuses").format(me=me, you=you)
        if method == "INVITE":
            text = f"{me} agrees {self._offering}" if self._up else f"{me} answers"
            self._up = True
            return text + (f" with {_chosen(media)}" if media else "")
        return {"BYE": "the call is over", "CANCEL": "cancelling"}.get(method, "done")


def _chosen(media: str) -> str:
    """Of the codecs of an answer the one that is used, with its direction."""
    codecs, _, direction = media.partition(" (")
    return codecs.partition(",")[0] + (f" ({direction}" if direction else "")


def describe_audio(sdp: str) -> str:
    """The codecs of a session description and its direction in words, "" when it has no audio."""
    audio = _AUDIO.search(sdp)
    if audio is None:
        return ""
    if audio[1] == "0":
        return "no audio"
    names = dict(_STATIC_NAMES)
    names.update(_RTPMAP.findall(sdp))
    codecs = []
    for number in audio[2].split():
        name = names.get(number, f"type {number}")
        if name.lower() not in ("telephone-event", "cn") and name not in codecs:
            codecs.append(name)
    direction = _DIRECTION.search(sdp)
    word = {"sendonly": " (on hold)", "recvonly": " (listening only)", "inactive": " (silent)"}
    return ", ".join(codecs) + (word.get(direction[1], "") if direction else "")
