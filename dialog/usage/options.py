"""OPTIONS (RFC 3261 section 11): asking what a peer can do, and saying what we can."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

from dialog.address import NameAddr
from dialog.addressee import addressee
from dialog.config import UserAgentConfig
from dialog.events import OptionsAnswered
from dialog.incoming import IncomingRequest
from dialog.inspection import takes_descriptions
from dialog.message import Request, Response
from dialog.transaction.client import ClientTransaction
from dialog.uri import SipUri

if TYPE_CHECKING:
    from dialog.core import Core

_log = logging.getLogger(__name__)


def answer_options(
    config: UserAgentConfig, capabilities: tuple[tuple[str, str], ...], incoming: IncomingRequest
) -> None:
    """The 200 to an OPTIONS, in or out of a dialog: what an INVITE would find here (section 11.2).

    A session description goes with it unless the sender takes none, or not ours (Accept).
    """
    headers = [("Contact", incoming.contact), *capabilities, ("Accept", ", ".join(config.accept))]
    body = b""
    if config.options_body is not None and takes_descriptions(incoming.request, config):
        try:
            body = config.options_body()
        except Exception:  # the application's own code: the peer is answered all the same
            _log.exception("options_body raised")
            incoming.respond(500)
            return
    if body:
        headers.append(("Content-Type", config.accept[0]))
    incoming.respond(200, None, headers, body)


class OptionsQuery:
    """One OPTIONS of ours."""

    def __init__(self, core: Core, target: str, from_: NameAddr | str) -> None:
        self._core = core
        self._target = target
        whom = addressee(SipUri.parse(target))
        sender = from_ if isinstance(from_, NameAddr) else NameAddr.parse(from_, "From")
        self._request = Request(
            "OPTIONS",
            whom.uri,
            [
                ("Max-Forwards", "70"),
                ("From", str(sender.with_tag(core.new_tag()))),
                ("To", whom.to),
                ("Call-ID", core.new_call_id()),
                ("CSeq", f"{core.new_sequence()} OPTIONS"),
                ("Accept", ", ".join(core.config.accept)),
                *whom.fields,
            ],
        )

    def start(self) -> None:
        """Send it."""
        self._core.send_request(self._request, self, self._request.uri, contact=True)

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        """Any final response is an answer: 486 says "I am here" as well as 200."""
        if response.status >= 200:
            self._core.emit(OptionsAnswered(self._target, response))

    def on_failure(
        self, transaction: ClientTransaction | None, cause: Literal["timeout", "transport"]
    ) -> None:
        """Nobody answered."""
        self._core.emit(OptionsAnswered(self._target, None))
