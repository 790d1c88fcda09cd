"""``sipmedia call URI``: place one call."""

from __future__ import annotations

import asyncio
from typing import Any

from media import MediaError
from sipmedia.account import Account
from sipmedia.call import Call
from sipmedia.cli.addresses import bind_for, complete
from sipmedia.cli.conversation import (
    Conversation,
    Settings,
    Stop,
    check_settings,
    first_of,
    save_trace,
    stop_by_signal,
    summary_of,
)
from sipmedia.cli.exits import Exit, exit_for
from sipmedia.cli.output import Output
from sipmedia.cli.registering import tell_registrations
from sipmedia.cli.talking import Talker, talking
from sipmedia.config import format_address, parse_bind
from sipmedia.errors import CallFailed, SipMediaError
from sipmedia.events import Progress, Redirected, Ringing
from sipmedia.softphone import Softphone


async def place_call(target: str, settings: Settings, out: Output, *, user: str = "caller") -> Exit:
    """Call ``target``, lead the conversation, and say how it went."""
    try:
        check_settings(settings)
        account = settings.account.to_account()
        bind = settings.bind or ("0.0.0.0:0" if account is None else bind_for(account))
        host, port = parse_bind(bind)
        identity = account or Account(f"sip:{user}@{format_address(host, port) if port else host}")
        phone = Softphone(
            identity, bind=bind, media=settings.manager_config(), config=settings.phone_config()
        )
        phone.on("error", out.trouble)
        tell_registrations(phone, out)
        with stop_by_signal() as stop:
            async with phone, talking(settings, out) as talker:
                if account is not None:
                    await phone.register()
                call = phone.dial(complete(target, identity.domain))
                out.event("calling", f"calling {call.remote_uri}", to=call.remote_uri, call_id=call.call_id)
                code = await _lead(call, settings, out, stop, talker)
    except (SipMediaError, MediaError) as error:
        code = exit_for(error)
        out.error(str(error))
        out.summary(exit_code=code, meaning=code.words)
        return code
    if settings.trace is not None:
        save_trace(call, settings.trace, out)
    out.ladder(call.trace)
    out.summary(exit_code=code, meaning=code.words, **summary_of(call))
    return code


async def _lead(
    call: Call, settings: Settings, out: Output, stop: Stop, talker: Talker | None = None
) -> Exit:
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
        out.error(str(error))
        await call.ended()
        return code
    return await conversation.talk(hang_up_after_playing=True)


def _on_ringing(event: Ringing, out: Output) -> None:
    out.event("ringing", f"{event.call.remote_name}'s phone rings")


def _on_redirected(event: Redirected, out: Output) -> None:
    out.event("redirected", f"goes on to {event.target}", target=event.target, status=event.status)


def _on_progress(event: Progress, out: Output) -> None:
    out.event("progress", f"{event.status} {event.reason}", status=event.status, reason=event.reason)
