"""Virtual time, and asyncio in it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sipmedia.simulation import (
    Deadlock,
    Network,
    NotSimulated,
    RealSocketUsed,
    Simulation,
    SimulationError,
    TimeLimitReached,
    TimeStandsStill,
)


def run(main: Any, **options: Any) -> Any:
    return Simulation().run(main(), **options)


def test_time_jumps() -> None:
    async def main() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.sleep(1800)
        return loop.time() - began, loop.wall()  # type: ignore[attr-defined]

    sim = Simulation()
    assert sim.run(main()) == (1800, 1767225600 + 1800)
    assert sim.elapsed == 1800
    assert sim.real_seconds < 1
    assert sim.speed > 1000


def test_timers_of_one_moment_run_in_the_order_they_were_set() -> None:
    async def main() -> list[int]:
        loop, order = asyncio.get_running_loop(), list[int]()
        for number in range(50):
            loop.call_at(loop.time() + 1, order.append, number)
        await asyncio.sleep(2)
        return order

    assert run(main) == list(range(50))


def test_many_cancelled_timers_do_no_harm() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        for number in range(1000):
            loop.call_later(number, lambda: None).cancel()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 5)
        return loop.time()

    assert run(main) == 1005


def test_executors_run_inline() -> None:
    async def main() -> tuple[int, str]:
        with pytest.raises(ValueError, match="invalid literal"):
            await asyncio.to_thread(int, "x")
        loop = asyncio.get_running_loop()
        loop.run_in_executor(None, int, "x").cancel()
        await asyncio.sleep(0)
        return await asyncio.to_thread(int, "7"), await loop.run_in_executor(None, str.upper, "a")

    assert run(main) == (7, "A")


def test_threadsafe_calls_and_asyncgens_and_signals_work() -> None:
    closed = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            closed.append(True)

    async def main() -> int:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(2, lambda: None)
        assert not loop.remove_signal_handler(2)
        done = asyncio.Event()
        loop.call_soon_threadsafe(done.set)
        await done.wait()
        generator = numbers()
        return await anext(generator)

    assert run(main) == 1
    assert closed == [True]


def test_exception_handlers_work_as_in_asyncio() -> None:
    async def main() -> list[Any]:
        seen: list[Any] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: seen.append(context["exception"]))
        loop.call_soon(lambda: 1 // 0)
        await asyncio.sleep(0)
        return seen

    assert [type(error) for error in run(main)] == [ZeroDivisionError]


def test_debug_mode_works() -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_debug(True)
        await asyncio.sleep(1)

    run(main)


def test_names_come_from_the_network() -> None:
    network = Network()
    network.host("10.0.0.2", "fd00::2", name="PBX.example")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo("pbx.example", 5060, type=socket.SOCK_DGRAM)
        assert [entry[4][:2] for entry in found] == [("10.0.0.2", 5060), ("fd00::2", 5060)]
        found = await loop.getaddrinfo(b"pbx.example.", 5060, family=socket.AF_INET6)
        assert [(entry[1], entry[4][0]) for entry in found] == [
            (socket.SOCK_STREAM, "fd00::2"),
            (socket.SOCK_DGRAM, "fd00::2"),
        ]
        assert (await loop.getaddrinfo("192.0.2.1", 1))[0][4] == ("192.0.2.1", 1)
        assert len(await loop.getaddrinfo(None, 0)) == 4
        assert await loop.getnameinfo(("10.0.0.2", 5060)) == ("pbx.example", "5060")
        assert await loop.getnameinfo(("10.0.0.9", 5060)) == ("10.0.0.9", "5060")
        with pytest.raises(socket.gaierror, match="not a name of the simulated network"):
            await loop.getaddrinfo("elsewhere.example", 5060)
        with pytest.raises(socket.gaierror, match="family"):
            await loop.getaddrinfo("10.0.0.2", 5060, family=socket.AF_INET6)

    Simulation(network).run(main())


def test_a_deadlock_names_who_waits_where() -> None:
    async def wait_for_godot() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(wait_for_godot(), name="vladimir")
        await asyncio.sleep(3)
        await task

    with pytest.raises(Deadlock) as caught:
        run(main)
    text = str(caught.value)
    assert "deadlock at 3.000 s" in text
    assert "'vladimir'" in text
    assert "wait_for_godot (simulation/test_loop.py:" in text
    assert "Event.wait" in text
    assert "task 'main'" in text
    assert any("seed 1" in note for note in caught.value.__notes__)


def test_the_limit_names_what_keeps_it_going() -> None:
    async def snore() -> None:
        while True:
            await asyncio.sleep(1)

    async def main() -> None:
        asyncio.get_running_loop().call_later(1e6, print)
        await asyncio.create_task(snore(), name="sleeper")

    with pytest.raises(
        TimeLimitReached, match=r"limit of 60 s(?s:.*)'sleeper'(?s:.*)kept going by(?s:.*)61\.000 s"
    ):
        run(main, limit=60)


def test_time_that_stands_still_is_no_hang() -> None:
    async def main() -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(TimeStandsStill, match="stands still at"):
        run(main)


def test_what_is_left_is_cancelled_in_order() -> None:
    ended = []

    async def linger(name: str) -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(1)
            ended.append(name)

    async def main() -> None:
        main.tasks = [asyncio.create_task(linger(name)) for name in "abc"]  # type: ignore[attr-defined]
        await asyncio.sleep(1)

    sim = Simulation()
    sim.run(main())
    assert ended == ["a", "b", "c"]
    assert sim.loop.is_closed()


def test_one_run_unless_kept_open() -> None:
    async def main() -> None:
        await asyncio.sleep(1)

    sim = Simulation()
    sim.run(main())
    with pytest.raises(SimulationError, match="over"):
        sim.run(main())
    with Simulation() as sim:
        sim.run(main())
        sim.run(main())
        assert sim.elapsed == 2
        assert sim.pending_tasks() == []


def test_the_random_module_follows_the_seed() -> None:
    import random

    async def main() -> float:
        return random.random()

    before = random.getstate()
    values = [Simulation(seed=seed).run(main()) for seed in (1, 1, 2)]
    assert values[0] == values[1] != values[2]
    assert random.getstate() == before
    with pytest.raises(ValueError, match="seed 3"):
        Simulation(Network(seed=3), seed=4)


@pytest.mark.parametrize(
    "ask", ["add_reader", "sock_recv", "create_unix_server", "subprocess_exec", "start_tls"]
)
def test_what_is_not_simulated_says_so(ask: str) -> None:
    async def main() -> None:
        getattr(asyncio.get_running_loop(), ask)(1, 2)

    with pytest.raises(NotSimulated, match="not simulated"):
        run(main)


def test_a_real_socket_is_named_even_if_the_error_is_caught() -> None:
    async def main() -> None:
        try:
            open_a_socket()
        except RuntimeError:
            pass
        await asyncio.sleep(1)

    def open_a_socket() -> None:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()

    with pytest.raises(RealSocketUsed, match=r"open_a_socket \(.*test_loop.py:\d+\) opened a real socket"):
        run(main)


def test_real_name_lookups_are_named() -> None:
    async def main() -> None:
        socket.getaddrinfo("localhost", 80)

    with pytest.raises(RealSocketUsed, match="'localhost'"):
        run(main)


def test_real_sockets_made_before_are_caught_when_used() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:

        async def bind() -> None:
            sock.bind(("127.0.0.1", 0))

        async def endpoint() -> None:
            await asyncio.get_running_loop().create_datagram_endpoint(asyncio.DatagramProtocol, sock=sock)

        with pytest.raises(RealSocketUsed, match=r"bound a real socket \(127.0.0.1:0\)"):
            run(bind)
        with pytest.raises(NotSimulated, match="real socket"):
            run(endpoint)


def test_real_sockets_may_be_allowed_and_are_nobodys_business_outside() -> None:
    async def main() -> None:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).close()

    Simulation(real_sockets=True).run(main())
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()


def test_errors_of_the_program_come_out_with_the_seed() -> None:
    async def main() -> None:
        await asyncio.sleep(2.5)
        raise KeyError("mine")

    with pytest.raises(KeyError) as caught:
        Simulation(seed=99).run(main())
    assert caught.value.__notes__ == ["in a simulation of seed 99, after 2.500 virtual seconds"]


def test_a_task_that_will_not_be_cancelled_is_named() -> None:
    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                pass

    async def main(fail: bool) -> None:
        main.task = asyncio.create_task(stubborn(), name="mule")  # type: ignore[attr-defined]
        await asyncio.sleep(0)
        if fail:
            raise LookupError("first")

    with pytest.raises(TimeLimitReached, match="'mule'"):
        Simulation().run(main(False))
    with pytest.raises(LookupError, match="first") as caught:
        Simulation().run(main(True))
    assert "'mule'" in caught.value.__notes__[-1]
