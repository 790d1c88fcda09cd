"""sipmedia/__init__.py: what it exports, and what importing it costs."""

import ast
import subprocess
import sys
from pathlib import Path

import sipmedia

_MEASURE = """
import sys, time
began = time.process_time()
import sipmedia
for name in sipmedia.__all__:
    getattr(sipmedia, name)
seconds = time.process_time() - began
names = ("typer", "rich", "click", "soundfile", "sounddevice", "soxr")
heavy = [name for name in names if name in sys.modules]
print(seconds, *heavy)
"""


def test_all_is_sorted_and_is_what_is_imported() -> None:
    tree = ast.parse(Path(sipmedia.__file__).read_text(encoding="utf-8"))
    imported = [
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sipmedia.")
        for alias in node.names
    ]
    assert sorted(imported) == sipmedia.__all__
    assert all(hasattr(sipmedia, name) for name in sipmedia.__all__)
    assert set(sipmedia.__all__) <= set(dir(sipmedia))


def test_a_name_it_does_not_have_is_an_attribute_error() -> None:
    assert not hasattr(sipmedia, "Telephone")


def test_every_error_and_event_is_exported() -> None:
    for module in ("errors", "events"):
        tree = ast.parse((Path(sipmedia.__file__).parent / f"{module}.py").read_text(encoding="utf-8"))
        classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
        assert classes <= set(sipmedia.__all__)


def test_importing_it_loads_neither_terminal_nor_device_nor_file_libraries_and_is_quick() -> None:
    runs = [
        subprocess.run(
            [sys.executable, "-c", _MEASURE], capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(5)
    ]
    assert all(run[1:] == [] for run in runs), runs[0]
    # CPU time, the best of five, and with much to spare: a busy machine is no fault of ours. What it takes at
    # rest is measured by `make bench` (group rest); here it is noticed when something heavy creeps in.
    assert min(float(run[0]) for run in runs) < 0.8
