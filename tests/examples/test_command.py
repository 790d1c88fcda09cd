"""``python -m examples``: its arguments and exit codes, and what a person reads when an example fails."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from examples.kit import command, language
from examples.kit.registry import Example, ExampleFailed

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "examples"]


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(". ")[0] for line in lines] == [str(number) for number in range(1, 12)]
    assert lines[1] == "2. 🔧 Простой пример для начинающих"


@pytest.mark.parametrize(("lang", "words"), [("ru", "Использование:"), ("en", "Usage:")])
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help(lang: str, words: str, flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        command.main([flag, "--lang", lang])
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith(words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["12"], "❌ Примера «12» нет: выберите номер (1-11)."),
        (["99999999999"], "❌ Примера «99999999999» нет"),
        (["one", "--lang=en"], "❌ There is no example «one»: choose one of the numbers 1-11."),
        (["1", "--lang", "de"], "❌ Языка «de» нет: выберите ru или en."),
        (["1", "2"], "❌ unrecognized arguments: 2"),
        (["1", "--seed", "3", "--lang", "en"], "❌ Example 1 has no --seed."),
        (["8", "--seed", "x"], "❌ argument --seed: invalid int value: 'x'"),
        (["--lang"], "❌ argument --lang: expected one argument"),
        (["--frobnicate"], "❌ unrecognized arguments: --frobnicate"),
    ],
)
def test_wrong_arguments(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        command.main(arguments)
    assert left.value.code == command.WRONG_ARGUMENTS
    assert capsys.readouterr().err.startswith(words)


def test_a_failed_example_says_why_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ExampleFailed("nothing came")

    language.use("en")
    assert command.run(Example(9, "", "", fail)) is False
    error = capsys.readouterr().err
    assert error.startswith("❌ Example 9 did not succeed: nothing came\n")
    assert "change the range of ports" in error


@pytest.fixture
def taken_ports() -> Iterator[tuple[int, int]]:
    """A range of ports that are all held: not the example's own, which other runs of it may need."""
    for first in range(20000, 32000, 60):
        with ExitStack() as held:
            try:
                for port in range(first, first + 51):
                    holder = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                    holder.bind(("127.0.0.1", port))
            except OSError:
                continue  # somebody else has one of them, who may give it back at any time
            yield first, first + 50
            return
    pytest.fail("no 51 free ports in a row")


def test_when_all_ports_are_taken_the_range_is_named(taken_ports: tuple[int, int]) -> None:
    example = (
        "import sys; from examples import simple; from examples.kit import command\n"
        f"range_of = simple.PortRange; simple.PortRange = lambda low, high: range_of(*{taken_ports})\n"
        "sys.exit(command.main(['2']))"
    )
    done = subprocess.run([sys.executable, "-c", example], cwd=ROOT, capture_output=True, timeout=60)
    error = done.stderr.decode()
    assert done.returncode == command.FAILED
    assert "❌ Пример 2 не удался: PortsExhausted" in error
    assert "{}-{}".format(*taken_ports) in error
    assert "examples/simple.py" in error
    assert "Traceback" not in error


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is not a signal of a process there")
@pytest.mark.parametrize(("number", "line"), [("3", "🚀"), ("6", "🔔")])
def test_ctrl_c_in_an_example(number: str, line: str, tmp_path: Path) -> None:
    """In a demonstration of the manager, and while a phone rings."""
    with subprocess.Popen(
        [*COMMAND, number],
        cwd=tmp_path,  # example 6 saves what it recorded where it is run
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdout is not None
        while not running.stdout.readline().startswith(line.encode()):
            assert running.poll() is None
        os.kill(running.pid, signal.SIGINT)
        out, error = running.communicate(timeout=30)
    assert out.decode().endswith("👋 Остановлено с клавиатуры. До свидания!\n")
    assert b"Traceback" not in error
    assert running.returncode in (command.INTERRUPTED, -signal.SIGINT)  # a shell says 130 for both


def test_a_reader_that_goes_away() -> None:
    with subprocess.Popen(
        [*COMMAND, "4"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        running.stdout.close()
        assert running.stderr is not None
        error = running.stderr.read().decode()
    assert "Traceback" not in error
    assert running.returncode == command.FAILED


def test_a_terminal_that_knows_no_utf8() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    done = subprocess.run([*COMMAND, "--list"], cwd=ROOT, capture_output=True, env=environment, timeout=60)
    assert done.returncode == 0
    assert "📞 Полная демонстрация" in done.stdout.decode()
