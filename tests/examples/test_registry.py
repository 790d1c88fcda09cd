"""The registry: one file with one registered function is an example."""

from pathlib import Path

import pytest

import examples
from examples.kit import command, registry

EXAMPLE = """\
from examples.kit import example


@example({number}, "🆕", "Brand new")
def brand_new() -> None:
    pass
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose modules count as examples, and a registry that is put back afterwards."""
    registry.discover()  # the real ones first: modules are imported once, so they register once
    monkeypatch.setattr(examples, "__path__", [*examples.__path__, str(tmp_path)])
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    return tmp_path


def test_a_new_file_is_in_the_menu(folder: Path) -> None:
    (folder / "brand_new.py").write_text(EXAMPLE.format(number=99), encoding="utf-8")
    found = registry.discover()
    assert list(found) == [*range(1, 12), 99]
    assert (found[99].title, found[99].file) == ("Brand new", "examples/brand_new.py")


def test_two_files_with_one_number_are_refused(folder: Path) -> None:
    (folder / "second_first.py").write_text(EXAMPLE.format(number=1), encoding="utf-8")
    with pytest.raises(registry.ExampleFailed, match=r"example 1 is already examples/peer_to_peer\.py"):
        registry.discover()


def test_a_setting_that_cannot_be_used_is_named_with_its_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    setting = "from media import PortRange\n\nPORTS = PortRange(10001, 10100)\n"
    (folder / "odd_ports.py").write_text(setting, encoding="utf-8")
    assert command.main(["4", "--lang", "en"]) == command.FAILED
    error = capsys.readouterr().err
    assert error.startswith(
        "❌ examples/odd_ports.py has a setting that cannot be used: bad RTP port range 10001-10100"
    )
