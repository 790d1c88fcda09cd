"""Keeps what C libraries write to stderr out of the person's terminal.

PortAudio, as Debian builds it, prints a line of its source ("Expression 'ret' failed in ...") for each thing
that fails, from threads of its own, in between the lines of a call. What matters in it we are told by error
codes, and say in words.
"""

import ctypes
import platform
from functools import lru_cache


@lru_cache(maxsize=1)
def quiet_c_libraries() -> bool:
    """Let C's stream `stderr` lead nowhere from now on; Python's `sys.stderr` is another and stays.

    Whether that was done: it is with glibc, whose stream can be replaced.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    try:
        libc = ctypes.CDLL(None)
        stream = ctypes.c_void_p.in_dll(libc, "stderr")
    except (OSError, ValueError):
        return False
    libc.fopen.restype = ctypes.c_void_p
    nowhere = libc.fopen(b"/dev/null", b"w")
    if nowhere:
        stream.value = nowhere
    return bool(nowhere)
