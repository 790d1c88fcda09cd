"""The menu: what it shows and makes of every answer, through a pipe and typed by a person at a terminal."""

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.kit import language, menu
from examples.kit.registry import Example, discover

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 20
MENU = """\
🎯 Примеры использования Media Manager
=====================================

Выберите пример для запуска:
1. 📞 Полная демонстрация P2P коммуникации (основной)
2. 🔧 Простой пример для начинающих
3. 🚀 Продвинутый пример с множественными сессиями
4. ⚙️ Демонстрация базовых операций
5. 🎯 Запустить все примеры последовательно
"""


@pytest.fixture(autouse=True)
def _russian() -> None:
    language.use("ru")


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the person types, line by line; then the input ends."""
    lines: list[str] = []

    def answer(prompt: str) -> str:
        print(prompt)
        if not lines:
            raise EOFError
        return lines.pop(0)

    monkeypatch.setattr("builtins.input", answer)
    return lines


def menu_process(*arguments: str, typed: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "examples", *arguments], input=typed, cwd=ROOT, capture_output=True, timeout=60
    )


def test_the_menu_is_that_of_the_document(typed: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    typed.append("5")
    assert menu.choose(discover()).number == 5
    printed = capsys.readouterr().out
    assert printed.startswith(MENU)
    assert printed.endswith("\n\nВведите номер примера (1-11): \n")


@pytest.mark.parametrize("answer", ["4", " 4 ", "4.", "04"])
def test_a_number_is_understood(answer: str, typed: list[str]) -> None:
    typed.append(answer)
    assert menu.choose(discover()).number == 4


def test_wrong_answers_are_asked_again(typed: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    wrong = ["0", "12", "-1", "1 2", "", "пять", "²", "1" * 5000, "\x00", "{0}"]
    typed += [*wrong, "2"]
    assert menu.choose(discover()).number == 2
    printed = capsys.readouterr().out
    assert printed.count("нет. Введите номер (1-11) или q, чтобы выйти.") == len(wrong)
    assert "Примера «12» нет." in printed


@pytest.mark.parametrize(("lines", "after_mistake"), [([], False), (["12"], True), (["12", "q"], False)])
def test_leaving_without_a_choice(lines: list[str], after_mistake: bool, typed: list[str]) -> None:
    typed += lines
    with pytest.raises(menu.MenuLeft) as left:
        menu.choose(discover())
    assert left.value.after_mistake is after_mistake


def test_numbers_with_a_gap_are_listed() -> None:
    examples = {n: Example(n, "", "", lambda: None) for n in (1, 2, 5)}
    assert menu.numbers_text(examples) == "1, 2, 5"


@pytest.mark.parametrize(
    ("typed", "code", "words"),
    [
        (b"", 0, "👋 До свидания!"),
        (b"q\n", 0, "👋 До свидания!"),
        (b"42\n", 2, "Примера «42» нет."),
        (b"\xff\xfe\n", 2, "👋 До свидания!"),
        ("12\nчетыре\n4\n".encode(), 0, "✅ stop"),
    ],
)
def test_answers_from_a_pipe(typed: bytes, code: int, words: str) -> None:
    done = menu_process(typed=typed)
    assert words in done.stdout.decode()
    assert b"Traceback" not in done.stderr
    assert done.returncode == code


def test_the_menu_in_english() -> None:
    done = menu_process("--lang", "en", typed=b"12\n")
    printed = done.stdout.decode()
    assert printed.startswith("🎯 Media Manager examples\n====")
    assert "There is no example «12»" in printed


class Person:
    """Somebody at a terminal: reads the screen, types lines and control keys."""

    def __init__(self, *arguments: str) -> None:
        self.screen = b""
        self._terminal, program_side = os.openpty()
        self.program = subprocess.Popen(
            [sys.executable, "-m", "examples", *arguments],
            cwd=ROOT,
            stdin=program_side,
            stdout=program_side,
            stderr=program_side,
            start_new_session=True,
        )
        os.close(program_side)

    def read_until(self, words: str) -> None:
        while words.encode() not in self.screen:
            self.screen += self._read()

    def read_to_the_end(self) -> str:
        try:
            while True:
                self.screen += self._read()
        except EOFError:
            return self.screen.decode()

    def _read(self) -> bytes:
        if not select.select([self._terminal], [], [], PATIENCE_S)[0]:
            raise AssertionError(f"nothing more came after {self.screen.decode(errors='replace')!r}")
        try:
            data = os.read(self._terminal, 4096)
        except OSError:  # Linux says EIO where the other side has closed
            data = b""
        if not data:
            raise EOFError(self.screen.decode(errors="replace"))
        return data

    def type(self, keys: bytes) -> None:
        self.screen = b""
        os.write(self._terminal, keys)

    def leave(self) -> None:
        self.program.kill()
        self.program.wait()
        os.close(self._terminal)


@pytest.fixture
def person() -> Iterator[Person]:
    if not hasattr(os, "openpty"):
        pytest.skip("this system has no pseudo-terminals")
    somebody = Person()
    yield somebody
    somebody.leave()


PROMPT = "Введите номер примера (1-11): "


def test_a_person_mistypes_and_then_chooses(person: Person) -> None:
    person.read_until(PROMPT)
    person.type("семь\n".encode())
    person.read_until(PROMPT)
    assert "Примера «семь» нет." in person.screen.decode()
    person.type(b"4\n")
    assert "✅ stop: осталось сессий 0" in person.read_to_the_end()
    assert person.program.wait(10) == 0


def test_a_person_ends_the_input(person: Person) -> None:
    person.read_until(PROMPT)
    person.type(b"\x04")
    assert "👋 До свидания!" in person.read_to_the_end()
    assert person.program.wait(10) == 0
