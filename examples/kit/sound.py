"""Sound for the examples to send, and how much of it arrived."""

import numpy as np
from numpy.typing import NDArray

from media import MediaSession


def tone(rate_hz: int, hz: float, seconds: float) -> NDArray[np.int16]:
    """A sine of a quarter of full scale, `rate_hz` samples a second."""
    phase = 2 * np.pi * hz * np.arange(int(rate_hz * seconds)) / rate_hz
    return (8000 * np.sin(phase)).astype(np.int16)


def received(session: MediaSession) -> int:
    """How many packets of audio `session` has received so far."""
    return session.statistics().media["audio"].packets_received
