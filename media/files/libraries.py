"""The two libraries that files need, loaded when first used; both come without types."""

from typing import Any

from media.errors import BadAudio


def soundfile(purpose: str) -> Any:
    """The module soundfile; `BadAudio` says what cannot be done without it."""
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: the package is there but not its libsndfile
        raise BadAudio(
            f"{purpose} needs the package soundfile with libsndfile ({error}); "
            "install it with `pip install soundfile`, or use WAV for recording"
        ) from error
    return soundfile


def rate_converter(from_hz: int, to_hz: int, dtype: str, purpose: str) -> Any:
    """A `soxr.ResampleStream` for one channel; `BadAudio` says what cannot be done without soxr."""
    try:
        import soxr
    except ImportError as error:
        raise BadAudio(
            f"{purpose} means converting {from_hz} Hz to {to_hz} Hz, which needs the package soxr ({error}); "
            "install it with `pip install soxr`"
        ) from error
    return soxr.ResampleStream(from_hz, to_hz, 1, dtype=dtype)
