"""The two catalogues: complete, without leftovers, and with the same {names} as the source."""

import string

import pytest

from examples.kit import catalogue, language
from examples.kit.po import Entry


def names(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("lang", language.LANGUAGES)
def test_every_message_is_translated_and_none_is_left_over(lang: str) -> None:
    assert catalogue.missing(lang) == []
    assert catalogue.stale(lang) == []


@pytest.mark.parametrize("lang", language.LANGUAGES)
def test_translations_fill_in_what_the_source_gives(lang: str) -> None:
    wrong = [
        (entry.msgid, text)
        for entry in catalogue.entries_of(lang)
        for text in entry.translations
        if names(text) != names(entry.msgid)
    ]
    assert wrong == []


@pytest.mark.parametrize(("lang", "forms"), [("ru", 3), ("en", 2)])
def test_plurals_have_the_forms_of_their_language(lang: str, forms: int) -> None:
    plurals = [entry for entry in catalogue.entries_of(lang) if entry.plural is not None]
    assert plurals
    assert all(len(entry.translations) == forms for entry in plurals)


def test_english_is_what_the_source_says() -> None:
    def differs(entry: Entry) -> bool:
        return entry.translations != [text for text in (entry.msgid, entry.plural) if text is not None]

    assert [entry.msgid for entry in catalogue.entries_of("en") if differs(entry)] == []


@pytest.mark.parametrize(
    ("count", "russian", "english"),
    [
        (1, "1 символ", "1 character"),
        (2, "2 символа", "2 characters"),
        (11, "11 символов", "11 characters"),
        (190, "190 символов", "190 characters"),
        (191, "191 символ", "191 characters"),
        (203, "203 символа", "203 characters"),
    ],
)
def test_counted_words(count: int, russian: str, english: str) -> None:
    counted = {}
    for lang in ("ru", "en"):
        language.use(lang)
        counted[lang] = language.ngettext("{count} character", "{count} characters", count)
    assert counted == {"ru": russian, "en": english}


def test_an_f_string_cannot_be_translated() -> None:
    with pytest.raises(ValueError, match="line 2: say"):
        list(catalogue.messages_in('n = 1\nsay(f"number {n}")\n'))


def test_messages_are_found_in_the_order_of_the_source() -> None:
    source = '@example(9, "*", "title")\ndef f():\n    say("a {n}", n=ngettext("one", "many", 2))\n'
    assert list(catalogue.messages_in(source)) == [
        ("title", None),
        ("a {n}", None),
        ("one", "many"),
    ]


def test_the_tool_prints_entries_to_paste(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known = catalogue.all_messages()
    gone = known.pop()
    monkeypatch.setattr(catalogue, "all_messages", lambda: known | {("brand new", None), ("one", "many")})
    assert catalogue.main() == 1
    printed = capsys.readouterr().out
    assert printed.count('msgid "brand new"\nmsgstr ""') == 2
    assert printed.count('msgid_plural "many"') == 2
    assert printed.count("nobody says this any more") == 2
    assert gone[0].splitlines()[0].replace('"', '\\"') in printed
