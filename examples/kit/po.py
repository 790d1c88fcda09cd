"""Reading a .po catalogue and compiling it into the .mo bytes that the standard gettext module reads.

Only what our catalogues use: comments, msgid, msgid_plural, msgstr and msgstr[n], each a run of quoted
strings. The format is described in the GNU gettext manual, "The Format of PO Files" and "GMO Files".
"""

import ast
import re
import struct
from dataclasses import dataclass, field

_KEYWORD = re.compile(r'(msgid_plural|msgid|msgstr)(?:\[(\d+)\])?\s+(".*")$')


class PoError(ValueError):
    """A line of a .po file that cannot be understood."""


@dataclass(slots=True)
class Entry:
    """One message: its identity in the source, its plural there if it has one, and its translations."""

    msgid: str = ""
    plural: str | None = None
    translations: list[str] = field(default_factory=list)


def parse_po(text: str) -> list[Entry]:
    """The entries of a catalogue, the header (empty msgid) among them. Raises PoError with the line."""
    entries: list[Entry] = []
    part = ""
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if match := _KEYWORD.match(line):
            part, text_of_line = match[1], _unquote(match[3], number)
            if part == "msgid":
                entries.append(Entry())
        elif line.startswith('"') and entries:
            text_of_line = _unquote(line, number)
            match = None
        else:
            raise PoError(f"line {number}: expected msgid, msgstr or a quoted string, found {line!r}")
        if not entries:
            raise PoError(f"line {number}: {part} before the first msgid")
        entry = entries[-1]
        if part == "msgid":
            entry.msgid += text_of_line
        elif part == "msgid_plural":
            entry.plural = (entry.plural or "") + text_of_line
        elif match:
            entry.translations.append(text_of_line)
        else:
            entry.translations[-1] += text_of_line
    return entries


def _unquote(quoted: str, number: int) -> str:
    """A quoted string of a .po file; its escapes are C's, which Python's literals share."""
    try:
        return str(ast.literal_eval(quoted))
    except SyntaxError as error:
        raise PoError(f"line {number}: bad quoted string {quoted}") from error


def quote(text: str) -> str:
    """`text` as a quoted string of a .po file."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def compile_mo(entries: list[Entry]) -> bytes:
    """The .mo file of `entries`; what is not translated is left out, so its msgid is shown."""
    table = {
        "\0".join([entry.msgid, entry.plural] if entry.plural is not None else [entry.msgid]).encode(): (
            "\0".join(entry.translations).encode()
        )
        for entry in entries
        if all(entry.translations)
    }
    keys = sorted(table)
    header_size, row_size = 28, 8
    offset = header_size + 2 * row_size * len(keys)
    rows: list[bytes] = []
    strings = bytearray()
    for text in [*keys, *(table[key] for key in keys)]:
        rows.append(struct.pack("<II", len(text), offset + len(strings)))
        strings += text + b"\0"
    header = struct.pack(
        "<IIIIIII", 0x950412DE, 0, len(keys), header_size, header_size + row_size * len(keys), 0, 0
    )
    return header + b"".join(rows) + bytes(strings)
