"""Waiting for what is to be heard next: for tests that answer what they hear, as a caller does.

They look a few times a second (of the test's own time) and fail, in words, when it does not come. What was
heard before the wait began does not count.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from sipmedia.call import Call
from sipmedia.testing.analysis import SILENCE_DBFS, Span, loud_spans
from sipmedia.testing.calls import assert_dtmf
from sipmedia.testing.hearing import assert_heard_tone, call_time, record_of_ear
from sipmedia.testing.party import Party
from sipmedia.testing.tape import Sound
from sipmedia.testing.witness import CallRecord

T = TypeVar("T")
Listener = Call | Party | CallRecord
_STEP_S = 0.05


async def wait_for_tone(listener: Listener, hz: float, *, within: float, lasting: float = 0.1) -> Span:
    """A tone of `hz` that begins within so many seconds from now (a beep, a dial tone)."""
    __tracebackhide__ = True
    since = call_time(listener)
    return await _until(
        lambda: assert_heard_tone(listener, hz, since=since, within=within, lasting=lasting), within + lasting
    )


async def wait_for_sound(listener: Listener, *, within: float, below_dbfs: float = SILENCE_DBFS) -> float:
    """Anything; gives when it began (on the tape)."""
    __tracebackhide__ = True
    since = call_time(listener)

    def begun() -> float:
        __tracebackhide__ = True
        loud = loud_spans(_from(listener, since), below_dbfs)
        if not loud:
            raise AssertionError(f"{record_of_ear(listener).name} heard nothing within {within:g} s")
        return since + loud[0].start

    return await _until(begun, within)


async def wait_for_silence(
    listener: Listener, *, within: float, lasting: float = 1.0, below_dbfs: float = SILENCE_DBFS
) -> float:
    """Nothing for `lasting` seconds (the prompt is over); gives when the silence began (on the tape)."""
    __tracebackhide__ = True
    since = call_time(listener)

    def quiet() -> float:
        __tracebackhide__ = True
        sound = _from(listener, since)
        loud = loud_spans(sound, below_dbfs)
        end = loud[-1].end if loud else 0.0
        if sound.seconds - end < lasting:
            name = record_of_ear(listener).name
            raise AssertionError(
                f"{name} still hears something: no {lasting:g} s of silence within {within:g} s"
            )
        return since + end

    return await _until(quiet, within)


async def wait_for_dtmf(listener: Listener, digits: str, *, within: float) -> None:
    """These keys, and no others, since the call began."""
    __tracebackhide__ = True
    await _until(lambda: assert_dtmf(listener, digits), within)


def _from(listener: Listener, since: float) -> Sound:
    sound = record_of_ear(listener).heard.sound()
    return Sound(sound.between(since), sound.rate)


async def _until(check: Callable[[], T], within: float) -> T:
    """What `check` gives as soon as it passes; its failure when it still fails at the end."""
    __tracebackhide__ = True
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while True:
        late = loop.time() >= deadline
        try:
            return check()
        except AssertionError:
            if late:
                raise
        await asyncio.sleep(min(_STEP_S, max(0.001, deadline - loop.time())))
