"""The command line of the examples: arguments, the menu when no number is given, and failures in plain words.

Exit codes: 0 the example ran to its end (or the menu was left), 1 it failed, 2 wrong arguments,
130 interrupted from the keyboard.
"""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from examples.kit.console import say
from examples.kit.language import DEFAULT_LANGUAGE, LANGUAGES, _, use
from examples.kit.menu import MenuLeft, choose, find, numbers_text, show_titles
from examples.kit.options import options as of_example
from examples.kit.registry import Example, ExampleFailed, discover
from media import BadAddress, MediaError, PortError

FAILED, WRONG_ARGUMENTS, INTERRUPTED = 1, 2, 130


class _Arguments(argparse.ArgumentParser):
    """argparse whose help and errors are in the chosen language."""

    def format_help(self) -> str:
        return (
            _(
                "Usage: python -m examples [N] [--lang ru|en] [--seed S] [--out DIR] [--list] [--help]\n"
                "\n"
                "Without a number an interactive menu is shown; with one that example runs at once.\n"
                "\n"
                "  N          the number of an example\n"
                "  --lang     the language of the examples: ru (the default) or en\n"
                "  --seed     example 8: another number, another hour\n"
                "  --out      example 8: the folder to save in\n"
                "  --list     print the numbers and titles of the examples\n"
                "  --help     print this help"
            )
            + "\n"
        )

    def error(self, message: str) -> NoReturn:
        print(f"❌ {message}\n\n{self.format_help()}", file=sys.stderr, end="")
        sys.exit(WRONG_ARGUMENTS)


def main(arguments: Sequence[str]) -> int:
    """Run the examples' command line; gives the exit code."""
    _speak_utf8()
    # The language first, wherever it stands among the arguments, so that errors and help are in it.
    use(_language_of(arguments))
    parser = _Arguments(prog="python -m examples", allow_abbrev=False)
    parser.add_argument("number", nargs="?")
    parser.add_argument("--lang")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args(arguments)
    if options.lang is not None and options.lang not in LANGUAGES:
        parser.error(_("There is no language «{language}»: choose ru or en.").format(language=options.lang))
    try:
        examples = discover()
        if options.list:
            show_titles(examples)
            return 0
        if options.number is None:
            return _run(choose(examples))
        chosen = find(examples, options.number)
        if chosen is None:
            text = _("There is no example «{answer}»: choose one of the numbers {numbers}.")
            parser.error(text.format(answer=options.number, numbers=numbers_text(examples)))
        for name in ("seed", "out"):
            if getattr(options, name) is not None and name not in chosen.takes:
                text = _("Example {number} has no --{option}.")
                parser.error(text.format(number=chosen.number, option=name))
        of_example.seed, of_example.out = options.seed, options.out
        return _run(chosen)
    except ExampleFailed as error:
        print(f"❌ {error}", file=sys.stderr)
        return FAILED
    except MenuLeft as left:
        say("👋 Goodbye! To run an example at once: python -m examples 1")
        return WRONG_ARGUMENTS if left.after_mistake else 0
    except KeyboardInterrupt:
        say()
        say("👋 Stopped from the keyboard. Goodbye!")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output (`| head`) has gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def run(example: Example) -> bool:
    """Run one example; when it fails say why and what to do on the error output, and give false."""
    try:
        example.run()
    except (ExampleFailed, MediaError) as error:
        _explain(example, error)
        return False
    return True


def _run(example: Example) -> int:
    return 0 if run(example) else FAILED


def _explain(example: Example, error: ExampleFailed | MediaError) -> None:
    reason = f"{type(error).__name__}: {error}" if isinstance(error, MediaError) else str(error)
    lines = [_("❌ Example {number} did not succeed: {reason}").format(number=example.number, reason=reason)]
    if not isinstance(error, BadAddress):
        lines.append(
            _("   👉 Are ports taken? Check that no other example is running, or change the range of ports.")
        )
    if not isinstance(error, PortError):
        lines.append(
            _("   👉 Check that the IP address is one of this machine, and that no firewall filters it.")
        )
    lines.append(_("   👉 The settings of this example are in {file}.").format(file=example.file))
    sys.stdout.flush()
    print(*lines, sep="\n", file=sys.stderr, flush=True)


def _language_of(arguments: Sequence[str]) -> str:
    """The language asked for by --lang, or the default when it is absent or unknown."""
    for index, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name == "--lang":
            language = value if equals else "".join(arguments[index + 1 : index + 2])
            return language if language in LANGUAGES else DEFAULT_LANGUAGE
    return DEFAULT_LANGUAGE


def _speak_utf8() -> None:
    """Emoji and Cyrillic whatever the locale says; what cannot be shown or read becomes a question mark."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
