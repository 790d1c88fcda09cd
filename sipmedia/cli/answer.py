"""``sipmedia answer``: wait for calls and take them."""

from __future__ import annotations

import asyncio
import sys

from media import MediaError
from sipmedia.call import Call
from sipmedia.cli.conversation import Conversation
from sipmedia.cli.exits import Exit, advised, exit_for, failed
from sipmedia.cli.keyboard import keyboard
from sipmedia.cli.outcome import numbered, save_trace, summary_of
from sipmedia.cli.output import Output
from sipmedia.cli.phone import make_phone
from sipmedia.cli.settings import Settings
from sipmedia.cli.stopping import Stop, first_of, stop_by_signal
from sipmedia.cli.talking import Talker, talking
from sipmedia.config import format_address
from sipmedia.errors import CallFailed, SipMediaError
from sipmedia.events import IncomingCall
from sipmedia.softphone import Softphone

_USUAL = "127.0.0.1:5060"
"""Where to listen when nothing is said."""


async def answer_calls(
    settings: Settings,
    out: Output,
    *,
    calls: int | None = None,
    ring: float = 0.0,
    echo: bool = False,
    reject: int | None = None,
    user: str = "phone",
) -> Exit:
    """Take ``calls`` calls (``None``: until Ctrl-C), each after ``ring`` seconds; ``reject``: refuse them so.

    Gives the exit code of the first call that went wrong, else that of success.
    """
    try:
        phone = make_phone(settings, out, user=user, usual_bind=_USUAL)
        with stop_by_signal(out) as stop:
            async with talking(settings, out, echo=echo, attended=sys.stdin.isatty()) as talker:
                has_devices = talker is not None  # what is wrong with them is said now, not to a caller
            async with phone:
                desk = _Desk(
                    phone, settings, out, stop,
                    calls=calls, ring=ring, echo=echo, reject=reject, has_devices=has_devices,
                )  # fmt: skip
                address = format_address(*phone.address)
                out.event("listening", f"listening on {address}", address=address)
                if settings.account.given:
                    await phone.register()
                await desk.work()
    except (SipMediaError, MediaError) as error:
        return failed(error, out, calls=[])
    code = desk.code
    out.summary(exit_code=code, meaning=code.words, calls=desk.summaries())
    return code


class _Desk:
    """Takes what comes, several calls at once if need be."""

    def __init__(
        self,
        phone: Softphone,
        settings: Settings,
        out: Output,
        stop: Stop,
        *,
        calls: int | None,
        ring: float,
        echo: bool,
        reject: int | None,
        has_devices: bool,
    ) -> None:
        self.code = Exit.TALKED
        self._settings = settings
        self._out = out
        self._stop = stop
        self._calls = calls
        self._ring = ring
        self._echo = echo
        self._reject = reject
        self._has_devices = has_devices
        self._taken: dict[int, Call] = {}
        self._over = 0
        self._talking = False
        self._summaries: dict[int, dict[str, object]] = {}
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        phone.on("incoming_call", self._on_call)

    async def work(self) -> None:
        """Until there were enough calls, or Ctrl-C."""
        await first_of(self._done, self._stop.asked)

    def summaries(self) -> list[dict[str, object]]:
        """One of each call, in the order in which they came."""
        going_on = {number: summary_of(call) for number, call in self._taken.items()}
        return [summary for _, summary in sorted((self._summaries | going_on).items())]

    async def _on_call(self, event: IncomingCall) -> None:
        call, out = event.call, self._out
        number = self._over + len(self._taken) + 1
        if self._calls is not None and number > self._calls:
            call.reject(486)
            return
        self._taken[number] = call
        out.event(
            "incoming", f"{call.remote_name} calls ({call.remote_uri})",
            **{"from": call.remote_uri, "call_id": call.call_id},
        )  # fmt: skip
        code = await self._take(call, number)
        if code is not Exit.TALKED and self.code is Exit.TALKED:
            self.code = code
        if self._settings.trace is not None:
            save_trace(call, numbered(self._settings.trace, number), out)
        out.ladder(call.trace)
        self._over += 1
        del self._taken[number]  # its trace and sound are no more to be kept: we may run for years
        if out.as_json:
            self._summaries[number] = summary_of(call)
        if self._calls is not None and self._over >= self._calls and not self._done.done():
            self._done.set_result(None)

    async def _take(self, call: Call, number: int) -> Exit:
        if not self._has_devices or self._reject is not None:
            return await self._converse(call, number, None)
        if self._talking:  # one person cannot talk to two
            call.reject(486)
            await call.ended()
            self._out.event("rejected", "refused with 486: we are talking", status=486)
            return Exit.TALKED
        self._talking = True
        try:
            async with talking(self._settings, self._out, echo=self._echo) as talker:
                return await self._converse(call, number, talker)
        except MediaError as error:  # it was there when we began
            self._out.error(str(error))
            call.reject(480)
            await call.ended()
            return exit_for(error)
        finally:
            self._talking = False

    async def _converse(self, call: Call, number: int, talker: Talker | None) -> Exit:
        try:
            if talker is not None:
                await self._call_the_person(call, talker)
            elif self._ring:
                await self._let_it_ring(call)
            if self._reject is not None:
                call.reject(self._reject)
                await call.ended()
                self._out.event("rejected", f"refused with {self._reject}", status=self._reject)
                return Exit.TALKED
            conversation = Conversation(call, self._settings, self._out, self._stop, number, talker)
            conversation.has_keyboard = len(self._taken) == 1
            await call.answer()
            return await conversation.talk(echo=self._echo, hang_up_after_playing=False)
        except CallFailed as error:
            self._out.event("failed", status=error.status, reason=error.reason, cause=error.cause)
            self._out.error(advised(error))
            await call.ended()
            return exit_for(error)
        except (SipMediaError, MediaError) as error:  # a file that is gone, say: the next call may do better
            self._out.error(str(error))
            await call.hangup()
            return exit_for(error)

    async def _call_the_person(self, call: Call, talker: Talker) -> None:
        """Ring, until Enter is pressed or for as long as was asked for."""
        if self._ring:
            await talker.ring()
            await self._let_it_ring(call)
        elif sys.stdin.isatty() and not self._out.as_json:
            await talker.ring()
            self._out.event("ringing", "press Enter to answer, Ctrl-C to refuse")
            pressed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

            def press(key: str) -> None:
                if key in "\r\n" and not pressed.done():
                    pressed.set_result(None)

            with keyboard(press):
                await self._let_it_ring(call, pressed)
        await talker.headset.stop_ringing()

    async def _let_it_ring(self, call: Call, until: asyncio.Future[None] | None = None) -> None:
        """Ring for as long as was asked for; CallFailed when the caller, or we, gave up meanwhile."""
        ended = asyncio.ensure_future(call.ended())
        if until is not None:
            await first_of(ended, self._stop.asked, until)
        else:
            await first_of(ended, self._stop.asked, timeout=self._ring)
        if ended.done() or self._stop.asked.done():
            await call.hangup()
            await call.answered()  # it never was: this raises why
        ended.cancel()
