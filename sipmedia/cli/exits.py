"""Exit codes that a script can act on."""

from __future__ import annotations

import enum

from media import AddressInUse as MediaAddressInUse
from media import (
    BadAddress,
    BadAudio,
    BadDigits,
    BadPortRange,
    CodecUnavailable,
    NoCommonCodec,
    PortError,
    UnknownCodec,
)
from media.device.errors import DeviceError
from sipmedia.cli.output import Output
from sipmedia.errors import AddressInUse, CallFailed, InvalidAddress, NotRegistered, TransportUnavailable


class Exit(enum.IntEnum):
    """What became of the call. 2 is typer's, too, for arguments it cannot read."""

    TALKED = 0
    ERROR = 1
    USAGE = 2
    BUSY = 10
    DECLINED = 11
    NOT_FOUND = 12
    TIMEOUT = 13
    NO_COMMON_CODEC = 14
    NO_AUDIO = 15
    ADDRESS = 16
    PEER_GONE = 17
    REFUSED = 18
    DEVICE = 19
    NOT_REGISTERED = 20
    UNREAD = 21
    NOT_RECORDED = 22
    INTERRUPTED = 130

    @property
    def words(self) -> str:
        """The meaning in a few words, for people."""
        return _WORDS[self]


_WORDS = {
    Exit.TALKED: "the call was answered and sound was heard",
    Exit.ERROR: "something unexpected",
    Exit.USAGE: "an option, address or file cannot be used as it was given",
    Exit.BUSY: "busy (486, 600)",
    Exit.DECLINED: "declined or forbidden (603, 403)",
    Exit.NOT_FOUND: "no such user (404, 410, 484, 604)",
    Exit.TIMEOUT: "nobody answered in time (408, 480, or no reply)",
    Exit.NO_COMMON_CODEC: "no common codec (488, 606, 415)",
    Exit.NO_AUDIO: "the call was answered but no sound came",
    Exit.ADDRESS: "the address, a port or a transport cannot be used: taken, or not of this machine",
    Exit.PEER_GONE: "the far end cannot be reached, or fell silent for good",
    Exit.REFUSED: "refused for another reason",
    Exit.DEVICE: "a microphone or loudspeaker that was named cannot be used",
    Exit.NOT_REGISTERED: "the registrar refused the account, or did not answer",
    Exit.UNREAD: "what it had to tell could not be written: nobody reads it, or the disk is full",
    Exit.NOT_RECORDED: "the call was heard, but its recording is incomplete: the disk was full or slow",
    Exit.INTERRUPTED: "interrupted before anybody answered",
}

_BY_STATUS = {
    486: Exit.BUSY,
    600: Exit.BUSY,
    603: Exit.DECLINED,
    403: Exit.DECLINED,
    404: Exit.NOT_FOUND,
    410: Exit.NOT_FOUND,
    484: Exit.NOT_FOUND,
    604: Exit.NOT_FOUND,
    408: Exit.TIMEOUT,
    480: Exit.TIMEOUT,
    488: Exit.NO_COMMON_CODEC,
    606: Exit.NO_COMMON_CODEC,
    415: Exit.NO_COMMON_CODEC,
}

EPILOG = "Exit codes: " + "; ".join(f"{code.value} {code.words}" for code in Exit) + "."


def exit_for(error: Exception) -> Exit:
    """The exit code for an error that ended a command."""
    match error:
        case CallFailed(cause="transport"):
            return Exit.PEER_GONE
        case CallFailed(cause="timeout"):
            return Exit.TIMEOUT
        case CallFailed():
            return _BY_STATUS.get(error.status, Exit.REFUSED)
        case NotRegistered():
            return Exit.NOT_REGISTERED
        case (
            InvalidAddress() | BadPortRange() | BadDigits() | BadAudio() | UnknownCodec() | CodecUnavailable()
        ):
            return Exit.USAGE
        case AddressInUse() | TransportUnavailable():
            return Exit.ADDRESS
        case MediaAddressInUse() | BadAddress() | PortError():
            return Exit.ADDRESS
        case NoCommonCodec():
            return Exit.NO_COMMON_CODEC
        case DeviceError():
            return Exit.DEVICE
        case _:
            return Exit.ERROR


def advised(error: Exception) -> str:
    """What is wrong, with the option that helps where the library's words name none."""
    hint = " (--codec says which ones we take)" if exit_for(error) is Exit.NO_COMMON_CODEC else ""
    return f"{error}{hint}"


def unread(code: Exit) -> Exit:
    """The exit code of a command that was to end with ``code``, but ended because its output was lost."""
    return Exit.UNREAD if code in (Exit.TALKED, Exit.NO_AUDIO, Exit.INTERRUPTED, Exit.NOT_RECORDED) else code


def failed(error: Exception, out: Output, **fields: object) -> Exit:
    """Say what ended a command; the code to exit with. ``fields`` are for the summary."""
    code = exit_for(error)
    out.error(advised(error))
    out.summary(exit_code=code, meaning=code.words, **fields)
    return code
