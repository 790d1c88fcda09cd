"""The language the examples speak: gettext over examples/locale/*/LC_MESSAGES/examples.po.

The .po files are the source and are compiled when a language is chosen (a few milliseconds), so a
translation is edited in one place and nothing has to be built or can be out of date.
"""

import gettext
import io
from pathlib import Path

from examples.kit.po import compile_mo, parse_po

LOCALE = Path(__file__).resolve().parent.parent / "locale"
LANGUAGES = ("ru", "en")
DEFAULT_LANGUAGE = "ru"

_translations: gettext.NullTranslations = gettext.NullTranslations()


def catalogue_path(language: str) -> Path:
    """Where the .po file of `language` is."""
    return LOCALE / language / "LC_MESSAGES" / "examples.po"


def use(language: str) -> None:
    """Speak `language` (one of LANGUAGES) from now on."""
    global _translations
    entries = parse_po(catalogue_path(language).read_text(encoding="utf-8"))
    _translations = gettext.GNUTranslations(io.BytesIO(compile_mo(entries)))


def _(message: str) -> str:
    """`message` in the chosen language."""
    return _translations.gettext(message)


def ngettext(one: str, many: str, count: int) -> str:
    """The form of the message that fits `count` in the chosen language (Russian has three)."""
    return _translations.ngettext(one, many, count).format(count=count)
