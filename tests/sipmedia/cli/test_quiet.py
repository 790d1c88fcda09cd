"""What C libraries write to stderr is not shown; what we write is. In a process of its own: it lasts."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, sys
from sipmedia.cli.quiet import quiet_c_libraries

def complain(words):
    libc = ctypes.CDLL(None)
    stream = ctypes.c_void_p.in_dll(libc, "stderr")
    libc.fputs(words, stream)
    libc.fflush(stream)

complain(b"before\\n")
assert quiet_c_libraries()
complain(b"Expression 'ret' failed\\n")
print("ours", file=sys.stderr)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="there it is left as it is")
def test_only_c_libraries_are_quiet() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stderr.split() == ["before", "ours"]
