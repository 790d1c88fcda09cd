"""The commands go on with the call that takes the place of theirs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from sipmedia import Account, Call, IncomingCall, Softphone, TransferFailed
from sipmedia.cli.call import place_call
from sipmedia.cli.exits import Exit
from sipmedia.cli.output import Output
from tests.sipmedia.kit import cli_settings, first, run


async def answer(event: IncomingCall) -> None:
    await event.call.answer()
    event.call.echo()


@asynccontextmanager
async def called(
    duration: float, carol_does: Callable[[IncomingCall], object]
) -> AsyncIterator[tuple[Call, Softphone, asyncio.Future[Exit]]]:
    """The command's call as bob has it, carol's phone, and the command's outcome."""
    async with (
        Softphone(Account("sip:bob@127.0.0.1"), bind="127.0.0.1:0") as bob,
        Softphone(Account("sip:carol@127.0.0.1"), bind="127.0.0.1:0") as carol,
    ):
        bob.on("incoming_call", answer)
        carol.on("incoming_call", carol_does)
        incoming = first(bob, "incoming_call")
        target = f"sip:bob@127.0.0.1:{bob.address[1]}"
        command = place_call(target, cli_settings(duration=duration), Output(as_json=True))
        code = asyncio.ensure_future(command)
        call: Call = (await incoming).call
        await call.answered()
        yield call, carol, code


def test_a_command_that_is_transferred_talks_on(capsys: pytest.CaptureFixture[str]) -> None:
    async def test() -> None:
        async with called(8, answer) as (call, carol, code):
            await asyncio.sleep(1)
            assert (await call.transfer(f"sip:carol@127.0.0.1:{carol.address[1]}")).status == 200
            await asyncio.sleep(2)
            assert len(carol.calls) == 1
            ended = first(carol.calls[0], "ended")
            assert await code is Exit.TALKED
            assert (await ended).duration > 5

    run(test())
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (transferred,) = [event for event in told if event["event"] == "transferred"]
    assert transferred["to"].startswith("sip:carol@127.0.0.1")
    (heard,) = [event for event in told if event["event"] == "heard"]
    assert heard["packets"] > 200


def test_a_transfer_that_fails_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    async def test() -> None:
        async with called(4, lambda event: event.call.reject(486)) as (call, carol, code):
            with pytest.raises(TransferFailed):
                await call.transfer(f"sip:carol@127.0.0.1:{carol.address[1]}")
            assert await code is Exit.TALKED

    run(test())
    told = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert "transferred" not in told
    assert "heard" in told
