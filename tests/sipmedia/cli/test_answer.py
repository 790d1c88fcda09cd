"""sipmedia/cli/answer.py: taking several calls, and those that go wrong."""

import asyncio
import gc
import json
from pathlib import Path
from typing import Any

import pytest

from sipmedia import Call, CallFailed, Softphone
from sipmedia.cli.answer import answer_calls
from sipmedia.cli.exits import Exit
from sipmedia.cli.output import Output
from tests.sipmedia.kit import ScriptedPeer, cli_settings, first, run


class Told(Output):
    """Keeps the events, and says when it listens."""

    def __init__(self) -> None:
        super().__init__(as_json=True)
        self.events: list[dict[str, Any]] = []
        self.address: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def event(self, name: str, sentence: str = "", **fields: Any) -> None:
        super().event(name, sentence, **fields)
        self.events.append({"event": name, **fields})
        if name == "listening":
            self.address.set_result(f"sip:phone@{fields['address']}")


def test_two_calls_then_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def test() -> None:
        told = Told()
        wanted = cli_settings(duration=0.1, record=tmp_path / "heard.wav", trace=tmp_path / "trace.svg")
        answering = asyncio.ensure_future(answer_calls(wanted, told, calls=2, echo=True))
        async with Softphone(bind="127.0.0.1:0") as phone:
            calls: list[Call] = [await phone.call(await told.address) for _ in range(2)]
            for call in calls:
                assert (await call.ended()).by == "remote"
        assert await answering is Exit.TALKED
        summary = told.events[-1]
        assert [call["ended_by"] for call in summary["calls"]] == ["local", "local"]

    run(test())
    assert {path.name for path in tmp_path.iterdir()} == {
        "heard.wav", "heard-2.wav", "trace.svg", "trace-2.svg",
    }  # fmt: skip
    for line in capsys.readouterr().out.splitlines():
        json.loads(line)


def test_calls_that_are_over_take_no_memory() -> None:
    async def test() -> None:
        told = Told()
        answering = asyncio.ensure_future(answer_calls(cli_settings(duration=None), told, calls=3))
        async with Softphone(bind="127.0.0.1:0") as phone:
            for _ in range(2):
                await (await phone.call(await told.address)).hangup()
            while [event["event"] for event in told.events].count("heard") < 2:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            gc.collect()
            assert not [kept for kept in gc.get_objects() if isinstance(kept, Call) and kept.incoming]
            await (await phone.call(await told.address)).hangup()
        await answering
        assert len(told.events[-1]["calls"]) == 3

    run(test())


def test_a_caller_that_gives_up() -> None:
    async def test() -> None:
        told = Told()
        answering = asyncio.ensure_future(answer_calls(cli_settings(), told, calls=1, ring=30))
        async with Softphone(bind="127.0.0.1:0") as phone:
            call = phone.dial(await told.address)
            await first(call, "ringing")
            await call.hangup()
        assert await answering is Exit.REFUSED
        assert [event["status"] for event in told.events if event["event"] == "failed"] == [487]

    run(test())


def test_refusing_on_purpose_is_no_fault() -> None:
    async def test() -> None:
        told = Told()
        answering = asyncio.ensure_future(answer_calls(cli_settings(), told, calls=1, reject=486))
        async with Softphone(bind="127.0.0.1:0") as phone:
            with pytest.raises(CallFailed, match="486"):
                await phone.call(await told.address)
        assert await answering is Exit.TALKED

    run(test())


def test_a_taken_port() -> None:
    async def test() -> None:
        async with ScriptedPeer() as peer:
            code = await answer_calls(cli_settings(bind=f"127.0.0.1:{peer.port}"), Told())
            assert code is Exit.ADDRESS

    run(test())
