"""The phone of ``call`` and ``answer``."""

from __future__ import annotations

from dialog.errors import ParseError
from dialog.uri import SipUri
from sipmedia.account import Account
from sipmedia.cli.addresses import bind_for, own_host
from sipmedia.cli.output import Output
from sipmedia.cli.registering import tell_registrations
from sipmedia.cli.settings import Settings
from sipmedia.config import parse_bind
from sipmedia.softphone import Softphone


def make_phone(settings: Settings, out: Output, *, user: str, usual_bind: str, target: str = "") -> Softphone:
    """The phone of the account that the options name, or of ``user`` at the address it listens on.

    It listens at ``usual_bind`` when neither an address nor an account says otherwise; ``target`` is whom it
    is to call. Raises what is wrong with the settings, files included, before anything is opened.
    """
    settings.check()
    account = settings.account.to_account()
    bind = settings.bind or (usual_bind if account is None else bind_for(account))
    if account is None:
        host, port = parse_bind(bind)
        account = Account(str(SipUri(user, own_host(host, target), port or None)))
    phone = Softphone(
        account,
        bind=bind,
        transports=("udp", "tcp", "tls", *_web_socket_of(target)),
        media=settings.manager_config(),
        config=settings.phone_config(),
    )
    phone.on("error", out.trouble)
    tell_registrations(phone, out)
    return phone


def _web_socket_of(target: str) -> tuple[str, ...]:
    """The transport that a URI asks for and a phone has only when told to (RFC 7118)."""
    try:
        uri = SipUri.parse(target)
    except ParseError:
        return ()  # said when it is called
    if uri.transport not in ("ws", "wss"):
        return ()
    return ("wss",) if uri.scheme == "sips" else (uri.transport,)
