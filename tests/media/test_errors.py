"""media/errors.py: one tree, and messages a person can act on."""

import inspect

import pytest

import media
from media import errors
from media.device.errors import DeviceError
from media.errors import (
    AddressInUse,
    BadAddress,
    BadAnswer,
    BadPortRange,
    BadSdp,
    MediaError,
    MediaRefused,
    NoCommonCodec,
    PortsExhausted,
    UnknownCodec,
    UnknownSession,
)


def test_everything_is_a_media_error() -> None:
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if c.__module__ == errors.__name__]
    assert len(classes) > 15
    assert all(issubclass(c, MediaError) for c in classes)
    assert {c.__name__ for c in classes} <= set(media.__all__)


def test_the_docstring_draws_the_whole_tree() -> None:
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if c.__module__ == errors.__name__]
    assert errors.__doc__ is not None
    drawn = {
        line.strip("│├└─ ").split(" ")[0] for line in errors.__doc__.splitlines() if line.startswith("    ")
    }
    assert {c.__name__ for c in classes} | {DeviceError.__name__} == drawn


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (BadSdp(3, "m=audio", "no port"), ["line 3", "'m=audio'", "no port"]),
        (BadSdp(0, "", "it is empty"), ["bad SDP: it is empty"]),
        (BadSdp(1, "x" * 500, "too long"), ["..."]),
        (NoCommonCodec(["PCMU", "PCMA"], ["G729"]), ["we have PCMU, PCMA", "they have G729"]),
        (NoCommonCodec([], []), ["we have none", "they have none"]),
        (MediaRefused(["line 1 is video"]), ["line 1 is video"]),
        (MediaRefused([]), ["no media lines"]),
        (BadAnswer("it has no audio"), ["does not fit our offer", "it has no audio"]),
        (AddressInUse("127.0.0.1", 5060), ["5060", "127.0.0.1", "Choose another port"]),
        (BadAddress("nowhere"), ["'nowhere'", "127.0.0.1"]),
        (BadPortRange(5, 3, "it is empty"), ["5-3", "it is empty"]),
        (PortsExhausted("127.0.0.1", 10000, 10003, 2), ["10000-10003", "own sessions: 2", "rtp_port_range"]),
        (UnknownSession("abc"), ["'abc'", "list_sessions()"]),
        (UnknownCodec("SPEEX", ["PCMU"]), ["'SPEEX'", "PCMU"]),
    ],
)
def test_messages(error: MediaError, says: list[str]) -> None:
    for part in says:
        assert part in str(error)


def test_they_can_be_caught_as_the_builtin_ones() -> None:
    assert issubclass(BadSdp, ValueError)
    assert issubclass(BadAddress, ValueError)
    assert issubclass(UnknownSession, KeyError)
    assert issubclass(AddressInUse, OSError)
