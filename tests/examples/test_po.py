"""examples.kit.po: what it reads out of a .po file, and that gettext reads what it compiles."""

import gettext
import io
import shutil
import subprocess
from pathlib import Path

import pytest

from examples.kit.language import LANGUAGES, catalogue_path
from examples.kit.po import PoError, compile_mo, parse_po, quote

PO = r"""
# a comment
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\n"
"Plural-Forms: nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && "
"(n%100<10 || n%100>=20) ? 1 : 2);\n"

msgid "say \"hello\"\n"
msgstr "скажи «привет»\n"

msgid "{count} packet"
msgid_plural "{count} packets"
msgstr[0] "{count} пакет"
msgstr[1] "{count} пакета"
msgstr[2] "{count} пакетов"

msgid "not done"
msgstr ""
"""


def test_entries_are_read_with_escapes_plurals_and_continued_strings() -> None:
    header, hello, packets, undone = parse_po(PO)
    assert header.msgid == ""
    assert header.translations[0].count("\n") == 2
    assert (hello.msgid, hello.translations) == ('say "hello"\n', ["скажи «привет»\n"])
    assert packets.plural == "{count} packets"
    assert packets.translations == ["{count} пакет", "{count} пакета", "{count} пакетов"]
    assert undone.translations == [""]


def test_gettext_reads_what_is_compiled() -> None:
    translations = gettext.GNUTranslations(io.BytesIO(compile_mo(parse_po(PO))))
    assert translations.gettext('say "hello"\n') == "скажи «привет»\n"
    assert translations.gettext("not done") == "not done"
    forms = [translations.ngettext("{count} packet", "{count} packets", n) for n in (1, 2, 5, 11, 21, 112)]
    assert forms == [
        f"{{count}} {word}" for word in ("пакет", "пакета", "пакетов", "пакетов", "пакет", "пакетов")
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('msgid "a"\nmsgtsr "b"\n', "line 2: expected"),
        ('msgid "a\\"\n', "line 1: bad quoted string"),
        ('msgstr "a"\n', "line 1: msgstr before the first msgid"),
        ('"a"\n', "line 1: expected"),
    ],
)
def test_a_broken_line_is_named(text: str, message: str) -> None:
    with pytest.raises(PoError, match=message):
        parse_po(text)


def test_what_is_quoted_is_read_back() -> None:
    text = 'a "quoted"\\ line\nand another'
    assert parse_po(f"msgid {quote(text)}\nmsgstr {quote(text)}\n")[0].msgid == text


@pytest.mark.parametrize("language", LANGUAGES)
def test_our_compiler_agrees_with_msgfmt(language: str, tmp_path: Path) -> None:
    msgfmt = shutil.which("msgfmt")
    if msgfmt is None:
        pytest.skip("msgfmt (GNU gettext) is not installed")
    po = catalogue_path(language)
    subprocess.run([msgfmt, "--check", "-o", tmp_path / "theirs.mo", po], check=True)
    theirs = gettext.GNUTranslations(io.BytesIO((tmp_path / "theirs.mo").read_bytes()))
    ours = gettext.GNUTranslations(io.BytesIO(compile_mo(parse_po(po.read_text(encoding="utf-8")))))
    for entry in parse_po(po.read_text(encoding="utf-8")):
        if entry.msgid:
            assert ours.gettext(entry.msgid) == theirs.gettext(entry.msgid)
