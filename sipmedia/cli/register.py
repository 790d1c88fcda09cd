"""``sipmedia register``: register an account, and stay registered."""

from __future__ import annotations

from media import MediaError
from sipmedia.cli.accounts import AccountOptions
from sipmedia.cli.addresses import bind_for
from sipmedia.cli.exits import Exit, failed
from sipmedia.cli.output import Output
from sipmedia.cli.registering import tell_registrations
from sipmedia.cli.stopping import first_of, stop_by_signal
from sipmedia.config import format_address
from sipmedia.errors import InvalidAddress, SipMediaError
from sipmedia.softphone import Softphone


async def keep_registered(
    options: AccountOptions, out: Output, *, bind: str = "", seconds: float | None = None
) -> Exit:
    """Register, and stay so for ``seconds`` (``None``: until Ctrl-C); calls that come are not taken."""
    try:
        account = options.to_account()
        if account is None:
            raise InvalidAddress("whom to register: give --user and --domain, or --account")
        phone = Softphone(account, bind=bind or bind_for(account))
        phone.on("error", out.trouble)
        tell_registrations(phone, out)
        with stop_by_signal(out) as stop:
            async with phone:
                address = format_address(*phone.address)
                out.event("listening", f"listening on {address}", address=address)
                registration = await phone.register()
                others = [uri for uri in registration.contacts if uri != registration.contact]
                if others:
                    out.event("others", f"so are {', '.join(others)}", contacts=others)
                await first_of(stop.asked, timeout=seconds)
    except (SipMediaError, MediaError) as error:
        return failed(error, out)
    out.summary(exit_code=Exit.TALKED, meaning="the account was registered")
    return Exit.TALKED
