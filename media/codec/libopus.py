"""libopus by ctypes: the few functions that one stream needs.

The library comes from the package opuslib-next-bundled (the extra `opus`), of which only the shared
library is used, else from the system. It is loaded with the first codec that needs it.

The calls keep the GIL (`PyDLL`): a frame costs 0.1 to 0.3 ms, and a thread that gave the GIL up would wait
for a busy neighbour's switch interval, 5 ms, to get it back, twice a packet. The state of a coder lives in
memory of ours, so there is nothing to free.
"""

import ctypes
import ctypes.util
import functools
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from media.errors import CodecError, CodecUnavailable
from media.frame import Samples

_PACKAGE = "opuslib_next"
_BUNDLED = {"win32": "opus.dll", "darwin": "libopus.dylib"}
_SYSTEM = {"win32": ("opus.dll", "libopus-0.dll"), "darwin": ("libopus.0.dylib", "libopus.dylib")}

APPLICATION_VOIP = 2048
MAX_PACKET_MS = 120
"""The longest packet there is (RFC 6716 section 3.2.5)."""

# opus_defines.h: requests to an encoder, and bandwidths by the sample rate they need.
SET_MAX_BANDWIDTH = 4004
SET_BITRATE = 4002
SET_VBR = 4006
SET_COMPLEXITY = 4010
SET_INBAND_FEC = 4012
SET_PACKET_LOSS_PERC = 4014
SET_DTX = 4016
BANDWIDTHS = {8000: 1101, 12000: 1102, 16000: 1103, 24000: 1104, 48000: 1105}

# One datagram on every path: Opus stays below by lowering the rate.
_MAX_PAYLOAD = 1400


class _Library:
    """The loaded library with its signatures."""

    def __init__(self, path: str) -> None:
        library = ctypes.PyDLL(path)
        pointer, integer, text = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
        self.version = self._function(library, "opus_get_version_string", text)
        self.strerror = self._function(library, "opus_strerror", text, integer)
        self.encoder_size = self._function(library, "opus_encoder_get_size", integer, integer)
        self.encoder_init = self._function(
            library, "opus_encoder_init", integer, pointer, ctypes.c_int32, integer, integer
        )
        # Variadic: what comes after the two is passed as the platform passes such arguments.
        self.encoder_ctl = self._function(library, "opus_encoder_ctl", integer, pointer, integer)
        self.encode = self._function(
            library, "opus_encode", ctypes.c_int32, pointer, pointer, integer, pointer, ctypes.c_int32
        )
        self.decoder_size = self._function(library, "opus_decoder_get_size", integer, integer)
        self.decoder_init = self._function(
            library, "opus_decoder_init", integer, pointer, ctypes.c_int32, integer
        )
        self.decode = self._function(
            library, "opus_decode", integer, pointer, text, ctypes.c_int32, pointer, integer, integer
        )

    @staticmethod
    def _function(library: ctypes.PyDLL, name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
        bound: Callable[..., Any] = function
        return bound

    def check(self, result: int, what: str) -> int:
        """`result`, or `CodecError` where libopus returned one of its errors."""
        if result < 0:
            reason: bytes = self.strerror(result)
            raise CodecError(f"{what}: {reason.decode()}")
        return result


def _candidates() -> list[str]:
    """Where libopus may be, the bundled one first."""
    found = []
    package = importlib.util.find_spec(_PACKAGE)
    if package is not None and package.origin is not None:
        bundled = Path(package.origin).parent / "_native" / _BUNDLED.get(sys.platform, "libopus.so")
        if bundled.exists():
            found.append(str(bundled))
    found.extend(_SYSTEM.get(sys.platform, ("libopus.so.0",)))
    named = ctypes.util.find_library("opus") if sys.platform in _SYSTEM else None
    return [*found, named] if named else found


@functools.cache
def load() -> _Library:
    """The library; `CodecUnavailable` says what to install."""
    reasons = []
    for path in _candidates():
        try:
            return _Library(path)
        except (OSError, AttributeError) as error:
            reasons.append(str(error))
    raise CodecUnavailable(
        "opus",
        "libopus was not found; install it with `pip install '.[opus]'` in the checkout, or by the system "
        "(Debian: apt-get install libopus0; macOS: brew install opus), or leave opus out of the codecs "
        f"({'; '.join(reasons)})",
    )


def version() -> str:
    """What the loaded library calls itself."""
    text: bytes = load().version()
    return text.decode()


class EncoderState:
    """A mono encoder of libopus for speech."""

    __slots__ = ("_address", "_library", "_out", "_out_address", "_state")

    def __init__(self, sample_rate_hz: int) -> None:
        self._library = library = load()
        self._state = ctypes.create_string_buffer(library.encoder_size(1))
        self._address = ctypes.addressof(self._state)
        library.check(
            library.encoder_init(self._address, sample_rate_hz, 1, APPLICATION_VOIP), "opus encoder"
        )
        self._out = ctypes.create_string_buffer(_MAX_PAYLOAD)
        self._out_address = ctypes.addressof(self._out)

    def set(self, request: int, value: int) -> None:
        """One of the `SET_` requests."""
        self._library.check(
            self._library.encoder_ctl(self._address, request, ctypes.c_int32(value)),
            f"opus setting {request}",
        )

    def encode(self, samples: Samples) -> bytes:
        """The payload for 2.5, 5, 10, 20, 40 or 60 ms; `CodecError` for other lengths."""
        samples = np.ascontiguousarray(samples, np.int16)
        size = self._library.encode(
            self._address, samples.ctypes.data, len(samples), self._out_address, _MAX_PAYLOAD
        )
        if size < 0:
            self._library.check(size, f"opus cannot encode {len(samples)} samples")
        return ctypes.string_at(self._out_address, size)


class DecoderState:
    """A decoder of libopus to mono; stereo payloads are mixed down by it."""

    __slots__ = ("_address", "_library", "_limit", "_out", "_out_address", "_state")

    def __init__(self, sample_rate_hz: int) -> None:
        self._library = library = load()
        self._state = ctypes.create_string_buffer(library.decoder_size(1))
        self._address = ctypes.addressof(self._state)
        library.check(library.decoder_init(self._address, sample_rate_hz, 1), "opus decoder")
        self._limit = sample_rate_hz * MAX_PACKET_MS // 1000
        self._out = np.empty(self._limit, np.int16)
        self._out_address = self._out.ctypes.data

    def decode(self, payload: bytes) -> Samples:
        """The samples of a payload; `CodecError` for one that is none of Opus."""
        size = self._library.decode(self._address, payload, len(payload), self._out_address, self._limit, 0)
        if size < 0:
            self._library.check(size, f"opus payload of {len(payload)} bytes")
        return self._out[:size].copy()

    def conceal(self, n: int) -> Samples:
        """`n` samples in place of lost ones, at most 120 ms, a multiple of 2.5 ms."""
        return self._made_up(None, n, 0)

    def recover(self, payload: bytes, n: int) -> Samples:
        """The `n` samples before `payload` from what it says of them, concealment where it does not."""
        return self._made_up(payload, n, 1)

    def _made_up(self, payload: bytes | None, n: int, fec: int) -> Samples:
        size = 0 if payload is None else len(payload)
        made = self._library.decode(self._address, payload, size, self._out_address, n, fec)
        self._library.check(made, f"opus concealment of {n} samples")
        return self._out[:made].copy()
