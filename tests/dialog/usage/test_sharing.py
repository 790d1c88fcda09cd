"""Several usages in one dialog, and the tables of those who take requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialog.events import CallEnded, InfoReceived
from dialog.incoming import IncomingRequest
from dialog.message import Request, Response
from dialog.transaction.client import ClientTransaction
from dialog.usage.invite import InviteUsage
from dialog.usage.sharing import GoneCause, Sharers

if TYPE_CHECKING:
    from tests.dialog.conftest import Pair, Stranger


class Notes:
    """A usage that takes INFO and keeps it."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.gone: list[tuple[int, GoneCause]] = []

    def takes(self, request: Request) -> bool:
        return request.method == "INFO"

    def receive_request(self, incoming: IncomingRequest) -> None:
        self.taken.append(incoming.request.body.decode())
        incoming.respond(200)

    def dialog_is_gone(self, status: int, cause: GoneCause) -> None:
        self.gone.append((status, cause))


class Nobody:
    """Sends a request and does not mind its answer."""

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        pass

    def on_failure(self, transaction: ClientTransaction | None, cause: str) -> None:
        pass


def test_the_latest_sharer_that_takes_it_is_found() -> None:
    sharers, first, second = Sharers(), Notes(), Notes()
    assert not sharers
    sharers.add(first)
    sharers.add(second)
    assert len(sharers) == 2
    info = Request("INFO", "sip:a@b", [])
    assert sharers.find(info) is second
    assert sharers.find(Request("BYE", "sip:a@b", [])) is None
    sharers.remove(second)
    sharers.remove(second)
    assert sharers.find(info) is first
    sharers.dialog_is_gone(408, "timeout")
    assert first.gone == [(408, "timeout")]
    assert second.gone == []


def test_a_dialog_outlives_its_call_while_somebody_shares_it(pair: Pair) -> None:
    mine, theirs = pair.established()
    notes = Notes()
    theirs.sharers.add(notes)
    mine.info("text/plain", b"during")
    pair.run()
    dialog = mine.confirmed_dialog
    mine.bye()
    pair.run()
    assert [type(event) for event in pair.bob.events].count(CallEnded) == 1
    assert pair.bob.core.calls == 0
    for method, status in (("INFO", 200), ("BYE", 481), ("OPTIONS", 481)):
        request = dialog.request(method, dialog.next_sequence(), (), b"after" if method == "INFO" else b"")
        pair.alice.core.act()
        pair.alice.core.send_request(request, Nobody(), dialog.next_hop)
        pair.run()
        assert pair.bob.statuses(method)[-1] == status
    assert notes.taken == ["during", "after"]
    assert not pair.bob.of(InfoReceived)
    theirs.leave(notes)
    assert pair.nothing_left()


def test_sharers_of_a_call_that_goes_on_leave_the_dialog_to_it(pair: Pair) -> None:
    mine, theirs = pair.established()
    notes = Notes()
    theirs.sharers.add(notes)
    theirs.leave(notes)
    mine.info("text/plain", b"for the call")
    pair.run()
    assert pair.bob.only(InfoReceived).body == b"for the call"


def test_a_peer_that_is_silent_is_gone_for_all(pair: Pair) -> None:
    mine, _ = pair.established()
    notes = Notes()
    mine.sharers.add(notes)
    pair.wire.drop = lambda message, sender: True
    mine.info("text/plain", b"anybody?")
    pair.run(40)
    assert notes.gone == [(408, "timeout")]
    mine.leave(notes)
    assert mine.confirmed_dialog.key not in pair.alice.core.dialogs


def test_handlers_by_method(pair: Pair, stranger: Stranger) -> None:
    core, seen = pair.bob.core, []

    def take(incoming: IncomingRequest) -> None:
        seen.append(incoming.request.method)
        incoming.respond(202)

    core.handlers["INFO"] = take
    stranger.say(stranger.request("INFO"))
    assert stranger.statuses()[-1] == 202
    assert seen == ["INFO"]
    core.handlers.clear()
    stranger.say(stranger.request("OPTIONS", branch="z9hG4bKb"))
    assert stranger.statuses()[-1] == 481


def test_a_half_dialog_takes_any_peer(pair: Pair, stranger: Stranger) -> None:
    core, seen = pair.bob.core, []

    def take(incoming: IncomingRequest) -> None:
        seen.append(incoming.request.from_.tag)
        incoming.respond(200)

    core.dialogs.add_half("call-1", "ours", take)
    for tag in ("one", "two"):
        text = stranger.request(
            "INFO",
            to="<sip:bob@192.0.2.2>;tag=ours",
            from_=f"<sip:stranger@example.com>;tag={tag}",
            call_id="call-1",
            branch=f"z9hG4bK{tag}",
        )
        stranger.say(text)
        assert stranger.statuses()[-1] == 200
    assert seen == ["one", "two"]
    core.dialogs.remove_half("call-1", "ours")
    stranger.say(text.replace("z9hG4bKtwo", "z9hG4bKx"))
    assert stranger.statuses()[-1] == 481


def test_call_handlers_by_method(pair: Pair) -> None:
    mine, theirs = pair.established()
    dialog = mine.confirmed_dialog

    def take(usage: InviteUsage, incoming: IncomingRequest) -> None:
        incoming.respond(202 if usage is theirs else 500)

    pair.bob.core.call_handlers["OPTIONS"] = take
    pair.alice.core.send_request(dialog.request("OPTIONS", dialog.next_sequence()), Nobody(), dialog.next_hop)
    pair.run()
    assert pair.bob.statuses("OPTIONS") == [202]
    pair.bob.core.call_handlers.clear()
    pair.alice.core.send_request(dialog.request("OPTIONS", dialog.next_sequence()), Nobody(), dialog.next_hop)
    pair.run()
    assert pair.bob.statuses("OPTIONS") == [202, 481]
