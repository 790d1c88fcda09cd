"""The command line: ``sipmedia demo``, ``sipmedia answer``, ``sipmedia call``; one file a command.

Nothing of it is imported by the library, and typer and rich only when a command runs.
"""


def main() -> None:
    """The entry point ``sipmedia``; ends the process with an exit code (:mod:`sipmedia.cli.exits`)."""
    from sipmedia.cli.app import app

    app()
