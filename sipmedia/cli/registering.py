"""Saying how an account fares at its registrar, in every command that has one."""

from __future__ import annotations

from sipmedia.cli.output import Output
from sipmedia.events import Registered, RegistrationFailed, Unregistered
from sipmedia.softphone import Softphone


def tell_registrations(phone: Softphone, out: Output) -> None:
    """Have what becomes of the phone's accounts told."""
    phone.on("registered", lambda event: _on_registered(event, out))
    phone.on("registration_failed", lambda event: _on_failed(event, out))
    phone.on("unregistered", lambda event: _on_unregistered(event, out))


def _on_registered(event: Registered, out: Output) -> None:
    words = f"{event.account.uri} is registered for {event.expires} s, at {event.contact}"
    out.event(
        "registered", "" if event.renewal else words,
        account=event.account.uri, expires=event.expires, contact=event.contact, renewal=event.renewal,
    )  # fmt: skip


def _on_failed(event: RegistrationFailed, out: Output) -> None:
    again = "" if event.retry_in is None else f"; tried again in {event.retry_in:.0f} s"
    why = f", {event.why}" if event.why else ""
    out.event(
        "registration_failed",
        f"{event.account.uri} is not registered: {event.status} {event.reason}{why}{again}",
        account=event.account.uri, status=event.status, reason=event.reason, why=event.why,
        retry_in=event.retry_in,
    )  # fmt: skip


def _on_unregistered(event: Unregistered, out: Output) -> None:
    out.event(
        "unregistered", f"{event.account.uri} is not registered any more" if event.status else "",
        account=event.account.uri, status=event.status,
    )  # fmt: skip
