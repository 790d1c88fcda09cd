"""sipmedia/testing/plugin.py: what it costs, what it runs, what a failure leaves behind."""

import asyncio
import hashlib
import subprocess
import sys

import pytest

from sipmedia.simulation import Network, Simulation
from sipmedia.testing import Phones, SimCall, assert_two_way_audio, tone

_IMPORTS = """
import sys, sipmedia.testing.plugin
packages = ("sipmedia", "dialog", "media", "numpy", "pyee")
print(*sorted(name for name in sys.modules if name.split(".")[0] in packages))
"""


def test_finding_it_imports_nothing_of_ours() -> None:
    result = subprocess.run([sys.executable, "-c", _IMPORTS], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["sipmedia", "sipmedia.testing", "sipmedia.testing.plugin"]


async def test_phones_talk_in_virtual_time(network: Network, phones: Phones) -> None:
    alice, bob = phones
    call = await alice.call(bob)
    await asyncio.sleep(600)
    assert network.clock.elapsed > 600
    assert call.duration == pytest.approx(600, abs=1)


async def test_a_call_that_is_up(sim_call: SimCall) -> None:
    caller, callee = sim_call
    await asyncio.gather(caller.play(tone(440)), callee.play(tone(880)))
    await asyncio.sleep(0.1)
    assert_two_way_audio(caller, callee)
    assert sim_call.link is not None


def test_fixtures_are_there_for_plain_functions_too(sim_call: SimCall, simulation: Simulation) -> None:
    simulation.run(sim_call.caller.hangup())
    assert sim_call.alice.calls == []


@pytest.mark.sipmedia(phones=3, seed=9)
async def test_as_many_phones_as_asked(phones: Phones, simulation: Simulation) -> None:
    assert [phone.name for phone in phones] == ["alice", "bob", "carol"]
    assert simulation.seed == 9
    dave = await phones.add()
    assert dave is phones["dave"] is phones[3]
    assert len(phones[1:3]) == 2
    with pytest.raises(KeyError, match="no phone 'zoe': there are alice, bob, carol, dave"):
        phones["zoe"]


@pytest.mark.sipmedia(phones=("caller", "menu"))
async def test_phones_with_names(phones: Phones) -> None:
    await phones["caller"].call(phones["menu"])
    assert phones["menu"].last_call.remote_name == "caller"


@pytest.mark.sipmedia
async def test_the_marker_alone_is_enough() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.sleep(3000)
    assert loop.time() == pytest.approx(began + 3000)


@pytest.mark.sipmedia(real_time=True)
async def test_the_same_phones_in_real_time(phones: Phones) -> None:
    alice, bob = phones
    call = await alice.call(bob)
    await bob.last_call.answered()
    await asyncio.gather(call.play(tone(440, 0.2)), bob.last_call.play(tone(880, 0.2)))
    await call.hangup()
    assert_two_way_audio(alice, bob)


FAILING = """
import asyncio

async def test_talk(sim_call):
    await asyncio.sleep(1)
    assert sim_call.caller.held, "it is not held"

async def test_draw(network):
    assert network.random("any").random() == 0
"""


TALKING = """
from sipmedia.testing import speech

async def test_talk(sim_call):
    sim_call.link.set(loss=0.05, jitter=0.03, reorder=0.02, duplicate=0.02)
    sim_call.callee.echo()
    await sim_call.caller.play(speech(5))
    await sim_call.caller.send_dtmf("123")
    await sim_call.caller.hangup()
    raise AssertionError("to have it saved")
"""


def test_a_failure_shows_the_ladder_saves_all_and_says_how_to_run_it_again(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_app=FAILING)
    result = pytester.runpytest_inprocess("-q", "--sipmedia-out", "left")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "*it is not held*",
            "*in a simulation of seed 1, after * virtual seconds*",
            "*INVITE*alice calls bob*",
            "saved in left/test_app.py-test_talk: alice-heard.wav, alice-said.wav, bob-heard.wav, "
            "bob-said.wav, call.pcapng, ladder.svg, ladder.txt",
            "seed 1; run it again with",
            "  python -m pytest test_app.py::test_talk --sipmedia-seed 1",
        ]
    )
    folder = pytester.path / "left" / "test_app.py-test_talk"
    assert all(file.stat().st_size > 40 for file in folder.iterdir())


def test_the_seed_decides_and_is_the_same_unless_asked_for(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_app=FAILING)

    def drawn(*arguments: str) -> str:
        result = pytester.runpytest_inprocess("-q", "-k", "draw", *arguments)
        return next(line for line in result.outlines if "Error: assert 0." in line)

    first = drawn()
    assert drawn("--sipmedia-seed", "1") == first
    assert drawn("--sipmedia-seed", "2") != first


def test_the_same_seed_makes_the_same_files_in_another_process(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_app=TALKING)

    def files(out: str, seed: str) -> dict[str, str]:
        pytester.runpytest_subprocess("-q", "--sipmedia-out", out, "--sipmedia-seed", seed)
        (folder,) = (pytester.path / out).iterdir()
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}

    once = files("once", "4")
    assert files("again", "4") == once
    other = files("other", "5")
    assert other["call.pcapng"] != once["call.pcapng"]
    assert other["bob-heard.wav"] != once["bob-heard.wav"]


def test_async_tests_of_others_are_none_of_its_business(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("async def test_theirs(): pass")
    result = pytester.runpytest_inprocess("-q")
    result.stdout.fnmatch_lines(["*async def functions are not natively supported*"])


def test_a_setting_that_the_marker_does_not_have(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import pytest\n@pytest.mark.sipmedia(sed=3)\nasync def test_it(phones): pass\n")
    result = pytester.runpytest_inprocess("-q")
    result.stdout.fnmatch_lines(["*the marker sipmedia has no sed; it takes seed, limit, phones, real_time*"])


def test_no_network_in_real_time(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import pytest\n@pytest.mark.sipmedia(real_time=True)\nasync def test_it(network): pass\n"
    )
    result = pytester.runpytest_inprocess("-q")
    result.stdout.fnmatch_lines(["*`simulation` is for virtual time, and this test has real_time=True*"])


ASYNC_PLUGIN = """
import asyncio, pytest

class TheirFunction(pytest.Function):
    def runtest(self):
        asyncio.run(self.obj())

@pytest.hookimpl(hookwrapper=True)
def pytest_pycollect_makeitem(collector, name, obj):
    outcome = yield
    made = outcome.get_result()
    if isinstance(made, list):
        outcome.force_result([
            TheirFunction.from_parent(collector, name=n.name, fixtureinfo=n._fixtureinfo, callobj=n.obj)
            for n in made
        ])
"""


def test_it_works_beside_a_plugin_that_takes_all_async_tests(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(ASYNC_PLUGIN)
    pytester.makepyfile(
        """
        import asyncio, pytest

        async def test_ours(phones):
            await asyncio.sleep(1000)

        @pytest.mark.sipmedia
        async def test_marked():
            await asyncio.sleep(1000)

        async def test_theirs():
            assert "Virtual" not in repr(asyncio.get_running_loop())
        """
    )
    pytester.runpytest_inprocess("-q").assert_outcomes(passed=3)
