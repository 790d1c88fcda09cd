"""What may be asked before and after a call; what is asked during it is in test_modification.py."""

import asyncio

import pytest

from sipmedia import Call, CallEnded, InvalidCallState
from sipmedia.changing import settled
from tests.sipmedia.kit import ScriptedPeer, connected, pair, run


async def ask_everything(call: Call, error: type[Exception]) -> None:
    for asked in (call.hold(), call.use_codecs("PCMU"), call.info("text/plain", b"x")):
        with pytest.raises(error):
            await asked


def test_nothing_is_asked_before_the_answer() -> None:
    async def test() -> None:
        async with ScriptedPeer() as peer, pair() as phones:
            call = phones.alice.dial(f"sip:peer@127.0.0.1:{peer.port}")
            await ask_everything(call, InvalidCallState)
            await call.resume()  # not held: nothing to ask
            assert not call.held
            assert not call.held_by_remote
            call.drop()

    run(test())


def test_nothing_is_asked_after_the_end() -> None:
    async def test() -> None:
        async with connected() as (call, _):
            await call.hangup()
            await ask_everything(call, CallEnded)

    run(test())


def test_waiting_neither_cancels_nor_raises() -> None:
    async def test() -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = asyncio.ensure_future(settled(future))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert not future.cancelled()
        future.set_exception(ValueError("kept"))
        await settled(future)
        with pytest.raises(ValueError, match="kept"):
            await future

    run(test())
