"""The layers of docs/design.md, held by reading every module's imports.

`examples -> sipmedia -> {dialog, media}`; `dialog` and `media` never meet; a core imports no I/O.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("dialog", "media", "sipmedia", "examples")

FORBIDDEN = {
    "dialog": {"media", "sipmedia", "examples"},
    "media": {"dialog", "sipmedia", "examples"},
    "sipmedia": {"examples"},
    "examples": set[str](),
}

# Behind the I/O line of each package; everything else is a core.
DRIVERS = {
    "dialog/user_agent.py",
    "dialog/transport",
    "media/driver.py",
    "media/datagram.py",
    "media/files",
    "media/ports.py",
    "media/runtime.py",
    "media/dispatch.py",
    "media/audio_path.py",
    "media/device",
    "media/session.py",
    "media/session_audio.py",
    "media/gathering.py",
    "media/stun/gathering.py",
    "media/manager.py",
}
IO_MODULES = {
    "asyncio", "ctypes", "multiprocessing", "os", "queue", "random", "secrets", "select", "selectors",
    "signal", "socket", "ssl", "subprocess", "threading", "time",
}  # fmt: skip
# Where the media thread and the application's meet: one short lock a queue, and a waiting reader woken.
# `random` is allowed as a type everywhere.
ALLOWED = {
    ("media/audio/frame_queue.py", "asyncio"),
    ("media/audio/frame_queue.py", "threading"),
    ("media/audio/write_queue.py", "threading"),
    ("media/codec/libopus.py", "ctypes"),  # a C library's functions, no I/O
}

# The one file that may import each third-party package (numpy and pyee apart).
THIRD_PARTY_HOMES = {
    "G722": {"media/codec/g722.py"},
    "dns": {"dialog/transport/resolver.py"},
    "keyring": {"sipmedia/cli/accounts.py"},
    "pytest": {"sipmedia/testing/plugin.py"},
    "pywebrtc_audio": {"media/audio/webrtc.py"},
    "sounddevice": {"media/device/portaudio.py"},
    "soundfile": {"media/files/libraries.py"},
    "soxr": {"media/files/libraries.py"},
    "wsproto": {"dialog/transport/websocket.py"},
}


@cache
def modules() -> tuple[tuple[str, ast.Module], ...]:
    return tuple(
        (path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8")))
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    )


@cache
def imports(tree: ast.Module) -> tuple[tuple[ast.stmt, str, list[str]], ...]:
    return tuple(imported(tree))


def imported(tree: ast.Module) -> Iterator[tuple[ast.stmt, str, list[str]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name, []
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}: write the full name"
            yield node, node.module or "", [alias.name for alias in node.names]


def test_packages_do_not_reach_up_or_across() -> None:
    offences = [
        f"{name}:{node.lineno} imports {module}"
        for name, tree in modules()
        for node, module, _ in imports(tree)
        if module.split(".")[0] in FORBIDDEN[name.split("/")[0]]
    ]
    assert offences == []


def is_driver(name: str) -> bool:
    return any(name == driver or name.startswith(driver + "/") for driver in DRIVERS)


def test_cores_import_no_io() -> None:
    offences = []
    for name, tree in modules():
        if name.split("/")[0] not in ("dialog", "media") or is_driver(name):
            continue
        for node, module, names in imports(tree):
            top = module.split(".")[0]
            if top == "random" and names in ([], ["Random"]):
                continue  # the type of what is handed in
            if top in IO_MODULES and (name, top) not in ALLOWED:
                offences.append(f"{name}:{node.lineno} imports {module}")
    assert offences == []


def test_cores_draw_no_random_numbers_of_their_own() -> None:
    offences = [
        f"{name}:{node.lineno} calls random.{node.func.attr}"
        for name, tree in modules()
        if name.split("/")[0] in ("dialog", "media") and not is_driver(name)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "random"
        and "random" in module_imports(tree)
    ]
    assert offences == []


def module_imports(tree: ast.Module) -> set[str]:
    return {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }


@pytest.mark.parametrize("package", sorted(THIRD_PARTY_HOMES))
def test_third_party_packages_stay_in_their_file(package: str) -> None:
    found = {
        name for name, tree in modules() for _, module, _ in imports(tree) if module.split(".")[0] == package
    }
    assert found <= THIRD_PARTY_HOMES[package]


def test_the_library_never_imports_the_command_line_packages() -> None:
    offences = [
        f"{name}:{node.lineno} imports {module}"
        for name, tree in modules()
        if not name.startswith(("sipmedia/cli/", "sipmedia/__main__", "examples/"))
        for node, module, _ in imports(tree)
        if module.split(".")[0] in ("typer", "rich", "click")
    ]
    assert offences == []


def test_public_names_are_sorted_and_exist() -> None:
    for package in ("dialog", "media", "sipmedia"):
        tree = ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8"))
        exported = [
            ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign)
            and any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets)
        ]
        assert exported, f"{package}/__init__.py has no __all__"
        assert exported[0] == sorted(exported[0]), f"{package}.__all__ is not sorted"
        module = __import__(package)
        missing = [name for name in exported[0] if not hasattr(module, name)]
        assert missing == []
