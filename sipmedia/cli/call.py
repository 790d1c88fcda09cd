"""``sipmedia call URI``: place one call."""

from __future__ import annotations

import asyncio
from typing import Any

from media import MediaError
from sipmedia.call import Call
from sipmedia.cli.addresses import dialable
from sipmedia.cli.conversation import Conversation
from sipmedia.cli.exits import Exit, advised, exit_for, failed
from sipmedia.cli.outcome import save_trace, summary_of
from sipmedia.cli.output import Output
from sipmedia.cli.phone import make_phone
from sipmedia.cli.settings import Settings
from sipmedia.cli.stopping import Stop, first_of, stop_by_signal
from sipmedia.cli.talking import Talker, talking
from sipmedia.errors import CallFailed, SipMediaError
from sipmedia.events import Progress, Redirected, Ringing


async def place_call(target: str, settings: Settings, out: Output, *, user: str = "caller") -> Exit:
    """Call ``target``, lead the conversation, and say how it went."""
    call: Call | None = None
    try:
        phone = make_phone(settings, out, user=user, usual_bind="0.0.0.0:0", target=target)
        domain = phone.accounts[0].domain if settings.account.given else ""
        whom = dialable(target, domain)
        with stop_by_signal(out) as stop:
            async with phone, talking(settings, out) as talker:
                if settings.account.given:
                    await phone.register()
                call = phone.dial(whom)
                out.event("calling", f"calling {call.remote_uri}", to=call.remote_uri, call_id=call.call_id)
                code = await _lead(call, settings, out, stop, talker)
    except (SipMediaError, MediaError) as error:
        if call is None:
            return failed(error, out)
        code = exit_for(error)
        out.error(advised(error))
    if settings.trace is not None:
        save_trace(call, settings.trace, out)
    out.ladder(call.trace)
    out.summary(exit_code=code, meaning=code.words, **summary_of(call))
    return code


async def _lead(call: Call, settings: Settings, out: Output, stop: Stop, talker: Talker | None) -> Exit:
    call.on("ringing", lambda event: _on_ringing(event, out))
    call.on("progress", lambda event: _on_progress(event, out))
    call.on("redirected", lambda event: _on_redirected(event, out))
    if talker is not None:
        call.on("ringing", lambda _: talker.ringback())
        call.on("media", lambda _: talker.join(call))  # early media, too
    conversation = Conversation(call, settings, out, stop, talker=talker)
    answered = asyncio.ensure_future(call.answered())
    await first_of(answered, stop.asked)
    if not answered.done():
        answered.cancel()
        await call.hangup()
        out.event("ended", "given up before anybody answered", by="local", reason="", duration=0.0)
        return Exit.INTERRUPTED
    try:
        answered.result()
    except CallFailed as error:
        code = exit_for(error)
        again: dict[str, Any] = {} if error.retry_after is None else {"retry_after": error.retry_after}
        out.event("failed", status=error.status, reason=error.reason, cause=error.cause, **again)
        out.error(advised(error))
        await call.ended()
        return code
    return await conversation.talk(hang_up_after_playing=True)


def _on_ringing(event: Ringing, out: Output) -> None:
    out.event("ringing", f"{event.call.remote_name}'s phone rings")


def _on_redirected(event: Redirected, out: Output) -> None:
    out.event("redirected", f"goes on to {event.target}", target=event.target, status=event.status)


def _on_progress(event: Progress, out: Output) -> None:
    out.event("progress", f"{event.status} {event.reason}", status=event.status, reason=event.reason)
