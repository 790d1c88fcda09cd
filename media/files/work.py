"""What playback and recording share: who does their disk work, and how a file is named to a person."""

from collections.abc import Callable
from os import PathLike, fspath
from typing import BinaryIO

FileWork = Callable[[Callable[[], object]], None]
"""Runs a function where it may wait for a disk, in order with those before: `Runtime.run_file_work`."""

File = str | PathLike[str] | BinaryIO
"""A path, or an open file object that can seek; a file object is left open and is its owner's to close."""


def path_of(file: File) -> str | None:
    """The path, if it is one."""
    return fspath(file) if isinstance(file, (str, PathLike)) else None


def name_of(file: File) -> str:
    """How to call the file in a message."""
    name = path_of(file) or getattr(file, "name", None)
    return str(name) if name else "the open file object"
