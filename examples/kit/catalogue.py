"""``python -m examples.kit.catalogue``: do both catalogues translate what the examples say?

Reads the messages out of the source (`say(...)`, `_(...)`, `ngettext(...)`, `@example(...)`) and prints, for
each language, the entries to paste into its .po file and the ones nobody says any more.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from examples.kit.language import LANGUAGES, catalogue_path
from examples.kit.po import Entry, parse_po, quote

FOLDER = Path(__file__).resolve().parent.parent

# Where the messages stand among the arguments of each function that takes one.
_MESSAGE_ARGUMENTS = {"say": (0,), "_": (0,), "ngettext": (0, 1), "example": (2,)}

Message = tuple[str, str | None]
"""A message of the source and its plural, if it has one."""


def messages_in(source: str) -> Iterator[Message]:
    """The messages that one module says.

    A message handed on in a variable is found where it is written. Raises ValueError for an f-string, which
    could never be looked up in a catalogue.
    """
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    for node in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
        if not isinstance(node.func, ast.Name):
            continue
        arguments = [node.args[i] for i in _MESSAGE_ARGUMENTS.get(node.func.id, ()) if i < len(node.args)]
        if any(isinstance(argument, ast.JoinedStr) for argument in arguments):
            raise ValueError(f"line {node.lineno}: {node.func.id}() takes a plain string, not an f-string")
        texts = [a.value for a in arguments if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        if texts:
            yield texts[0], texts[1] if len(texts) > 1 else None


def all_messages() -> set[Message]:
    """The messages of every module of the examples."""
    return {
        message
        for path in sorted(FOLDER.rglob("*.py"))
        for message in messages_in(path.read_text(encoding="utf-8"))
    }


def entries_of(language: str) -> list[Entry]:
    """The translated messages of one language (the header left out)."""
    return [e for e in parse_po(catalogue_path(language).read_text(encoding="utf-8")) if e.msgid]


def missing(language: str) -> list[Message]:
    """What the source says and the catalogue does not translate, wholly or in part."""
    done = {(e.msgid, e.plural) for e in entries_of(language) if e.translations and all(e.translations)}
    return sorted(all_messages() - done, key=str)


def stale(language: str) -> list[Message]:
    """What the catalogue translates and the source no longer says."""
    return sorted({(e.msgid, e.plural) for e in entries_of(language)} - all_messages(), key=str)


def main() -> int:
    """Print what is missing and stale; the exit code is 1 when anything is."""
    wrong = False
    for language in LANGUAGES:
        path = catalogue_path(language)
        for msgid, plural in missing(language):
            wrong = True
            print(f"# missing in {path.relative_to(FOLDER)}:\nmsgid {quote(msgid)}")
            print('msgstr ""\n' if plural is None else f'msgid_plural {quote(plural)}\nmsgstr[0] ""\n')
        for msgid, _plural in stale(language):
            wrong = True
            print(f"# nobody says this any more, delete it from {path.relative_to(FOLDER)}: {quote(msgid)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
