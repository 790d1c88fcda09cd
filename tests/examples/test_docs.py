"""docs/examples*.md: the menu is the real one, every example is listed, the recipe for a new one works."""

import re
from pathlib import Path

import pytest

import examples
from examples.kit import command, registry

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = pytest.mark.parametrize(("lang", "name"), [("ru", "examples.ru.md"), ("en", "examples.md")])


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


@PAGES
def test_the_menu_on_the_page_is_the_menu(lang: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--list", "--lang", lang]) == 0
    assert capsys.readouterr().out in page(name)


@PAGES
def test_every_example_is_listed_with_its_file(lang: str, name: str) -> None:
    table = re.findall(r"^\| (\d+) \| .*? \| `(\w+\.py)` \|", page(name), re.MULTILINE)
    assert table == [(str(e.number), Path(e.file).name) for e in registry.discover().values()]


@PAGES
def test_the_recipe_for_a_new_example_works(
    lang: str,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    registry.discover()
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    monkeypatch.setattr(examples, "__path__", [*examples.__path__, str(tmp_path)])
    recipe = re.search(r"   ```python\n(.*?)   ```", page(name), re.DOTALL)
    assert recipe is not None
    source = re.sub("^   ", "", recipe[1], flags=re.MULTILINE)
    (tmp_path / f"recipe_{lang}.py").write_text(source, encoding="utf-8")
    assert command.main(["12", "--lang", lang]) == 0
    assert "was created" in capsys.readouterr().out
