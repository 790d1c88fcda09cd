"""The command line: ``sipmedia demo``, ``sipmedia answer``, ``sipmedia call``; one file a command.

Nothing of it is imported by the library, and typer and rich only when a command runs.
"""

import errno
import os
import signal
import sys
from types import FrameType


def main() -> None:
    """The entry point ``sipmedia``; ends the process with an exit code (:mod:`sipmedia.cli.exits`)."""
    signal.signal(signal.SIGINT, leave)
    from sipmedia.cli.app import app
    from sipmedia.cli.exits import Exit
    from sipmedia.cli.output import discard

    try:
        app()
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        discard(sys.stdout)  # help was written by no output of ours
        print(f"error: {error.strerror}", file=sys.stderr)
        sys.exit(Exit.UNREAD)


def leave(*_: int | FrameType | None) -> None:
    """Ctrl-C while nothing is going on, before the command or after it, ends the process without a word.

    An exception could come out of anywhere, and some imports make another one of it.
    """
    os._exit(130)
