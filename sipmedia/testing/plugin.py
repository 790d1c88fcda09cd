"""The pytest plugin: calls in virtual time for tests that ask for them.

pytest imports this module in every run of whoever has sipmedia installed, so nothing of ours is imported
before a fixture is used.
"""

from __future__ import annotations

import inspect
import os
import shlex
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sipmedia.simulation import Network, Simulation
    from sipmedia.testing.lab import Lab, SimCall
    from sipmedia.testing.party import Phones

DEFAULT_SEED = 1
DEFAULT_FOLDER = "sipmedia-failures"
_MARKER = "sipmedia"
_WORLD_FIXTURE = "sipmedia_lab"
_Node = pytest.Item | pytest.Collector
_Made = _Node | list[_Node] | None
_LAB: pytest.StashKey[Lab] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The two options."""
    group = parser.getgroup("sipmedia", "calls in virtual time")
    group.addoption(
        "--sipmedia-seed",
        type=int,
        metavar="N",
        help=f"seed of the simulated networks; else the test's own, else {DEFAULT_SEED}",
    )
    group.addoption(
        "--sipmedia-out",
        metavar="DIR",
        default=DEFAULT_FOLDER,
        help=f"where failed tests leave packets, sound and ladders, a folder each ({DEFAULT_FOLDER})",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The marker."""
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(seed=1, limit=3600, phones=2, real_time=False): run this async test in virtual time; "
        "limit in seconds, phones a number or their names, real_time for loopback and the real clock",
    )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pycollect_makeitem() -> Generator[None, _Made, _Made]:
    """Async tests that use us stay ours, whatever a plugin for all async tests made of them."""
    made = yield
    if isinstance(made, list):
        return [_claim(node) for node in made]
    return made if made is None else _claim(made)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run async tests that use us; others are none of our business."""
    if _LAB not in pyfuncitem.stash or not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    arguments: dict[str, Any] = {name: value for name, value in pyfuncitem.funcargs.items() if name in names}
    pyfuncitem.stash[_LAB].run(pyfuncitem.obj(**arguments))
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows its ladder, saves what was sent and heard, and says how to run it again."""
    report = yield
    if report.when != "teardown" and report.failed and _LAB in item.stash:
        report.sections.append((f"{report.when} (sipmedia)", _explain(item, item.stash[_LAB])))
    return report


@pytest.fixture
def sipmedia_lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The world of one test; the other fixtures are parts of it."""
    from sipmedia.testing.lab import Lab

    settings = _settings(request.node)
    seed = request.config.getoption("--sipmedia-seed")
    if seed is not None:
        settings["seed"] = seed
    lab = Lab(**{"seed": DEFAULT_SEED, **settings})
    request.node.stash[_LAB] = lab
    yield lab
    del request.node.stash[_LAB]
    lab.close()


@pytest.fixture
def simulation(sipmedia_lab: Lab) -> Simulation:
    """The simulation: its clock, its capture, its seed."""
    if sipmedia_lab.simulation is None:
        pytest.fail("the fixture `simulation` is for virtual time, and this test has real_time=True")
    return sipmedia_lab.simulation


@pytest.fixture
def network(simulation: Simulation) -> Network:
    """The simulated network: hosts, links, NAT boxes."""
    return simulation.network


@pytest.fixture
def phones(sipmedia_lab: Lab) -> Phones:
    """Phones that can call each other: `alice, bob = phones`; more by the marker or `await phones.add()`."""
    return sipmedia_lab.phones()


@pytest.fixture
def sim_call(sipmedia_lab: Lab) -> SimCall:
    """A call that is up between alice and bob: `caller, callee = sim_call`."""
    return sipmedia_lab.call()


def _claim(node: _Node) -> _Node:
    if not (isinstance(node, pytest.Function) and inspect.iscoroutinefunction(node.obj)):
        return node
    if node.get_closest_marker(_MARKER) is not None and _WORLD_FIXTURE not in node.fixturenames:
        node.fixturenames.append(_WORLD_FIXTURE)
    if _WORLD_FIXTURE not in node.fixturenames or type(node) is pytest.Function:
        return node
    plain: pytest.Function = pytest.Function.from_parent(
        node.parent,
        name=node.name,
        callspec=getattr(node, "callspec", None),
        callobj=node.obj,
        fixtureinfo=node._fixtureinfo,
        keywords=node.keywords,
        originalname=node.originalname,
    )
    plain.own_markers = [mark for mark in node.own_markers if mark.name != "asyncio"]
    return plain


def _settings(item: pytest.Item) -> dict[str, Any]:
    """What the markers of a test ask for, the closest one first."""
    settings: dict[str, Any] = {}
    for marker in item.iter_markers(_MARKER):
        settings = {**marker.kwargs, **settings}
    unknown = set(settings) - {"seed", "limit", "phones", "real_time"}
    if unknown:
        raise pytest.UsageError(
            f"{item.nodeid}: the marker sipmedia has no {', '.join(sorted(unknown))}; "
            "it takes seed, limit, phones, real_time"
        )
    return settings


def _explain(item: pytest.Item, lab: Lab) -> str:
    from sipmedia.testing.lab import folder_name

    folder = Path(item.config.getoption("--sipmedia-out"), folder_name(item.nodeid))
    lines = [lab.ladders()]
    try:
        files = lab.save(item.config.invocation_params.dir / folder)
        lines.append(f"saved in {folder}: {', '.join(file.name for file in files)}")
    except OSError as error:
        lines.append(f"nothing could be saved in {folder}: {error}")
    lines.append(f"seed {lab.seed}; run it again with")
    lines.append(f"  python -m pytest {shlex.quote(_node(item))} --sipmedia-seed {lab.seed}")
    return "\n".join(lines)


def _node(item: pytest.Item) -> str:
    """The test as it must be named where pytest was started."""
    file, colons, rest = item.nodeid.partition("::")
    try:
        file = os.path.relpath(item.path, item.config.invocation_params.dir)
    except ValueError:  # on another drive
        file = str(item.path)
    return f"{file}{colons}{rest}"
