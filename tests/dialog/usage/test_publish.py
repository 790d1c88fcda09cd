"""Publications: a core, and a server that a test plays by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dialog.message import Request, Response
from dialog.service_events import PublicationChanged, PublicationEnded
from dialog.usage.publish import Publication

if TYPE_CHECKING:
    from tests.dialog.conftest import Party, Wire

HERE, THERE = ("192.0.2.1", 5060), ("192.0.2.9", 5060)


class Server:
    """The compositor (RFC 3903 section 6)."""

    def __init__(self, wire: Wire, alice: Party) -> None:
        self.wire = wire
        self.alice = alice
        self.box = wire.stranger(THERE, alice)

    @property
    def requests(self) -> list[Request]:
        return list({m.cseq: m for m in self.box.received if isinstance(m, Request)}.values())

    def answer(self, status: int, **headers: str) -> None:
        fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
        response = Response.to_request(self.requests[-1], status, to_tag="s", headers=fields)
        self.wire.inject(THERE, HERE, bytes(response))
        self.wire.run()

    def shape(self) -> tuple[str | None, str | None, bytes]:
        """SIP-If-Match, Expires and body of the latest PUBLISH."""
        request = self.requests[-1]
        return request.headers.get("SIP-If-Match"), request.headers.get("Expires"), request.body


@pytest.fixture
def server(wire: Wire) -> Server:
    return Server(wire, wire.party(HERE))


def publish(server: Server, expires: int = 600) -> Publication:
    publication = server.alice.core.services.publish(
        "sip:alice@192.0.2.9",
        "presence",
        "text/plain",
        b"open",
        from_="<sip:alice@192.0.2.9>",
        expires=expires,
    )
    server.wire.run()
    return publication


def test_published_refreshed_modified_removed(server: Server) -> None:
    publication = publish(server)
    assert server.shape() == (None, "600", b"open")
    assert server.requests[0].headers.get("Event") == "presence"
    server.answer(200, SIP_ETag="e1", Expires="300")
    assert server.alice.only(PublicationChanged).expires == 300
    server.wire.run(269)
    assert server.shape() == ("e1", "600", b"")  # a refresh has no body
    server.answer(200, SIP_ETag="e2", Expires="300")
    publication.modify("text/plain", b"closed")
    server.wire.run()
    assert server.shape() == ("e2", "600", b"closed")
    server.answer(200, SIP_ETag="e3", Expires="300")
    publication.remove()
    publication.remove()
    server.wire.run()
    assert server.shape() == ("e3", "0", b"")
    server.answer(200, SIP_ETag="e4", Expires="0")
    ended = server.alice.only(PublicationEnded)
    assert (ended.status, ended.source) == (0, publication)
    assert len({request.call_id for request in server.requests}) == 1
    server.wire.run(400)
    assert len(server.requests) == 4
    assert server.alice.core.next_deadline() is None


def test_what_changes_meanwhile_goes_out_after_the_answer(server: Server) -> None:
    publication = publish(server)
    publication.modify("text/plain", b"away")
    publication.modify("text/plain", b"closed")
    server.wire.run()
    assert len(server.requests) == 1
    server.answer(200, SIP_ETag="e1", Expires="300")
    assert server.shape() == ("e1", "600", b"closed")


def test_a_server_that_forgot_is_told_anew(server: Server) -> None:
    publish(server)
    server.answer(200, SIP_ETag="e1", Expires="100")
    server.wire.run(70)
    server.answer(412)
    assert server.shape() == (None, "600", b"open")
    server.answer(200, SIP_ETag="e9", Expires="100")
    assert len(server.alice.of(PublicationChanged)) == 2


def test_too_brief(server: Server) -> None:
    publish(server, expires=10)
    server.answer(423, Min_Expires="60")
    assert server.shape() == (None, "60", b"open")


@pytest.mark.parametrize(
    ("status", "headers"), [(489, {}), (403, {}), (412, {}), (423, {"Min_Expires": "x"})]
)
def test_refused(server: Server, status: int, headers: dict[str, str]) -> None:
    publish(server)
    server.answer(status, **headers)
    assert server.alice.only(PublicationEnded).status == status


def test_no_answer(server: Server) -> None:
    publish(server)
    server.wire.run(33)
    assert server.alice.only(PublicationEnded).status == 408


def test_removed_before_it_was_there(server: Server) -> None:
    publication = publish(server)
    publication.remove()
    server.answer(200, SIP_ETag="e1", Expires="100")
    assert server.shape() == ("e1", "0", b"")
    server.answer(500)
    assert server.alice.only(PublicationEnded).status == 0
    publication.modify("text/plain", b"too late")
    server.wire.run()
    assert len(server.requests) == 2
