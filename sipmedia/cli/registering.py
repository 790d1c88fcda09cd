"""Saying how an account fares at its registrar, in every command that has one."""

from __future__ import annotations

from sipmedia.account import Account
from sipmedia.cli.output import Output
from sipmedia.events import Registered, RegistrationFailed, Unregistered
from sipmedia.softphone import Softphone


def tell_registrations(phone: Softphone, out: Output) -> None:
    """Have what becomes of the phone's accounts told.

    People are told of a failure only once an account was registered: a command whose first attempt fails ends
    with that error, and will not try again.
    """
    known: set[Account] = set()

    def on_registered(event: Registered) -> None:
        known.add(event.account)
        _on_registered(event, out)

    phone.on("registered", on_registered)
    phone.on("registration_failed", lambda event: _on_failed(event, out, tell=event.account in known))
    phone.on("unregistered", lambda event: _on_unregistered(event, out))


def _on_registered(event: Registered, out: Output) -> None:
    words = f"{event.account.uri} is registered for {event.expires} s, at {event.contact}"
    out.event(
        "registered", "" if event.renewal else words,
        account=event.account.uri, expires=event.expires, contact=event.contact, renewal=event.renewal,
    )  # fmt: skip


def _on_failed(event: RegistrationFailed, out: Output, *, tell: bool) -> None:
    again = "" if event.retry_in is None else f"; tried again in {event.retry_in:.0f} s"
    why = f", {event.why}" if event.why else ""
    out.event(
        "registration_failed",
        f"{event.account.uri} is not registered: {event.status} {event.reason}{why}{again}" if tell else "",
        account=event.account.uri, status=event.status, reason=event.reason, why=event.why,
        retry_in=event.retry_in,
    )  # fmt: skip


def _on_unregistered(event: Unregistered, out: Output) -> None:
    out.event(
        "unregistered", f"{event.account.uri} is not registered any more" if event.status else "",
        account=event.account.uri, status=event.status,
    )  # fmt: skip
