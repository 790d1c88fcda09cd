"""The rules of a proxy and of a registrar, message by message (RFC 3261 sections 10.3 and 16)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from dialog.challenge import read_challenges
from dialog.digest import Credentials, DigestSession
from dialog.message import Request, Response
from dialog.parser import parse_datagram
from sipmedia.registrar.forwarding import TIMER_C
from tests.sipmedia.kit import first
from tests.sipmedia.registrar.conftest import Domain

InDomain = Callable[..., None]
PROXY = ("10.0.0.1", 5060)


class Peer(asyncio.DatagramProtocol):
    """A party that says what a test writes, and keeps what it is sent."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.received: list[Request | Response] = []
        self._transport: asyncio.DatagramTransport | None = None
        self._count = 0

    @classmethod
    async def at(cls, home: Domain, address: str) -> Peer:
        home.network.host(address)
        loop = asyncio.get_running_loop()
        transport, peer = await loop.create_datagram_endpoint(
            lambda: cls(address), local_addr=(address, 5060)
        )
        peer._transport = transport
        home.stack.callback(transport.close)
        return peer

    def datagram_received(self, data: bytes, source: Any) -> None:
        self.received.append(parse_datagram(data))

    def send(self, message: Request | Response) -> None:
        assert self._transport is not None
        self._transport.sendto(bytes(message), PROXY)

    async def ask(self, request: Request, seconds: float = 0.1) -> list[int]:
        """Send a request; the statuses of what comes back in that time."""
        before = len(self.received)
        self.send(request)
        await asyncio.sleep(seconds)
        return [message.status for message in self.received[before:] if isinstance(message, Response)]

    @property
    def last(self) -> Request:
        """The newest request it got."""
        return [message for message in self.received if isinstance(message, Request)][-1]

    @property
    def answer(self) -> Response:
        """The newest response it got."""
        return [message for message in self.received if isinstance(message, Response)][-1]

    def request(self, method: str, uri: str, *headers: tuple[str, str], **changed: str) -> Request:
        """A request that lacks nothing, with these headers too."""
        self._count += 1
        sender = changed.get("sender", "sip:stranger@elsewhere.example")
        return Request(
            method,
            uri,
            [
                ("Via", f"SIP/2.0/UDP {self.address};branch=z9hG4bK{self.address}.{self._count};rport"),
                ("Max-Forwards", changed.get("hops", "70")),
                ("From", f"<{sender}>;tag=from"),
                ("To", f"<{changed.get('to', uri)}>" + changed.get("to_tag", "")),
                ("Call-ID", changed.get("call_id", f"call-{self.address}")),
                ("CSeq", f"{changed.get('cseq', str(self._count))} {method}"),
                ("Contact", changed.get("contact", f"<sip:peer@{self.address}>")),
                *headers,
            ],
        )

    def register(self, user: str = "bob", *headers: tuple[str, str], **changed: str) -> Request:
        """A REGISTER of that user."""
        uri = f"sip:{user}@example.org"
        return self.request("REGISTER", "sip:example.org", *headers, **{"to": uri, "sender": uri, **changed})

    def reply(self, status: int, *headers: tuple[str, str], to: Request | None = None) -> None:
        """Answer the newest request."""
        contact = ("Contact", f"<sip:peer@{self.address}>")
        self.send(Response.to_request(to or self.last, status, to_tag="to", headers=[contact, *headers]))


def test_bob_is_called_and_the_way_is_remembered(in_domain: InDomain) -> None:
    """Sections 16.6 and 16.7: one Via more, one hop less, a Record-Route; responses the same way back."""

    async def test(home: Domain) -> None:
        bob, caller = await Peer.at(home, "10.0.1.1"), await Peer.at(home, "10.0.1.2")
        assert await bob.ask(bob.register()) == [200]
        invite = caller.request("INVITE", "sip:bob@example.org")
        assert await caller.ask(invite) == []
        got = bob.last
        assert (got.method, got.request_uri) == ("INVITE", "sip:peer@10.0.1.1")
        assert [via.host for via in got.vias] == ["10.0.0.1", "10.0.1.2"]
        assert got.max_forwards == 69
        assert [str(route) for route in got.record_routes] == ["<sip:10.0.0.1:5060;lr>"]
        bob.reply(180)
        bob.reply(200, ("Record-Route", got.headers.get("Record-Route") or ""))
        await asyncio.sleep(0.3)
        assert [m.status for m in caller.received if isinstance(m, Response)] == [180, 200]
        assert len(caller.answer.vias) == 1
        # The ACK and the BYE go by the Route, which the proxy takes itself out of.
        route = ("Route", "<sip:10.0.0.1:5060;lr>")
        for method in ("ACK", "BYE"):
            caller.send(caller.request(method, "sip:peer@10.0.1.1", route, to_tag=";tag=to"))
            await asyncio.sleep(0.1)
            assert (bob.last.method, bob.last.routes) == (method, ())
            assert [via.host for via in bob.last.vias] == ["10.0.0.1", "10.0.1.2"]
        # A 2xx that is sent again comes through again (RFC 6026).
        before = len(caller.received)
        bob.reply(200, to=got)
        await asyncio.sleep(0.1)
        assert len(caller.received) == before + 1

    in_domain(test, users=None)


def test_a_call_that_takes_its_time_gets_a_100(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        bob, caller = await Peer.at(home, "10.0.1.1"), await Peer.at(home, "10.0.1.2")
        await bob.ask(bob.register())
        assert await caller.ask(caller.request("INVITE", "sip:bob@example.org"), 0.5) == [100]
        bob.reply(100)
        await asyncio.sleep(0.1)
        assert len(caller.received) == 1  # that of the next hop is for us alone

    in_domain(test, users=None)


@pytest.mark.parametrize(
    ("headers", "changed", "status"),
    [
        ([], {"hops": "0"}, 483),
        ([("Proxy-Require", "foo, bar")], {}, 420),
        ([], {"uri": "tel:+123"}, 416),
        ([], {"uri": "sip:nobody@example.org"}, 480),
        ([], {"uri": "sip:example.org"}, 404),
        ([("Route", "<sip:x")], {}, 400),
    ],
)
def test_what_is_not_sent_on(
    in_domain: InDomain, headers: list[tuple[str, str]], changed: dict[str, str], status: int
) -> None:
    async def test(home: Domain) -> None:
        caller = await Peer.at(home, "10.0.1.2")
        uri = changed.pop("uri", "sip:bob@example.org")
        assert await caller.ask(caller.request("MESSAGE", uri, *headers, **changed)) == [status]
        if status == 420:
            assert caller.answer.headers.get("Unsupported") == "foo, bar"

    in_domain(test, users=None)


def test_a_loop_is_seen(in_domain: InDomain) -> None:
    """Somebody sends our own request back to us, as it is (section 16.3, step 4)."""

    async def test(home: Domain) -> None:
        bob, caller = await Peer.at(home, "10.0.1.1"), await Peer.at(home, "10.0.1.2")
        caller.send(caller.request("MESSAGE", "sip:x@10.0.1.1"))
        await asyncio.sleep(0.1)
        back = bob.last
        back.headers.insert("Via", "SIP/2.0/UDP 10.0.1.1;branch=z9hG4bKback;rport")
        assert await bob.ask(back) == [482]

    in_domain(test, users=None)


def test_options_for_the_server_itself(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        caller = await Peer.at(home, "10.0.1.2")
        assert await caller.ask(caller.request("OPTIONS", "sip:10.0.0.1:5060")) == [200]
        assert "REGISTER" in caller.answer.allowed_methods

    in_domain(test, users=None)


def test_a_strict_router_before_us_and_after_us(in_domain: InDomain) -> None:
    """Sections 16.4 and 16.6 step 6: our Record-Route in the Request-URI, and a next hop without `lr`."""

    async def test(home: Domain) -> None:
        bob, caller = await Peer.at(home, "10.0.1.1"), await Peer.at(home, "10.0.1.2")
        caller.send(
            caller.request("BYE", "sip:10.0.0.1:5060;lr", ("Route", "<sip:peer@10.0.1.1>"), to_tag=";tag=x")
        )
        await asyncio.sleep(0.1)
        assert (bob.last.request_uri, bob.last.routes) == ("sip:peer@10.0.1.1", ())
        route = ("Route", "<sip:10.0.0.1:5060;lr>, <sip:10.0.1.1>, <sip:further.example;lr>")
        caller.send(caller.request("BYE", "sip:target@there.example", route, to_tag=";tag=x"))
        await asyncio.sleep(0.1)
        assert bob.last.request_uri == "sip:10.0.1.1"
        assert [str(r.uri) for r in bob.last.routes] == ["sip:further.example;lr", "sip:target@there.example"]

    in_domain(test, users=None)


def test_a_relay_for_nobody(in_domain: InDomain) -> None:
    """From elsewhere to elsewhere is no business of ours; to our users it is."""

    async def test(home: Domain) -> None:
        caller = await Peer.at(home, "10.0.1.2")
        refused = first(home.registrar, "refused")
        assert await caller.ask(caller.request("MESSAGE", "sip:x@10.0.1.1")) == [403]
        assert (await refused).why == "neither from nor to this domain"
        assert await caller.ask(caller.request("MESSAGE", "sip:bob@example.org")) == [480]
        ours = caller.request("MESSAGE", "sip:bob@example.org", sender="sip:alice@example.org")
        assert await caller.ask(ours) == [407]

    in_domain(test)


def test_our_proxy_credentials_go_no_further(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        bob, caller = await Peer.at(home, "10.0.1.1"), await Peer.at(home, "10.0.1.2")
        message = caller.request("MESSAGE", "sip:bob@10.0.1.1", sender="sip:alice@example.org")
        assert await caller.ask(message) == [407]
        challenges, _ = read_challenges(caller.answer.headers.get_all("Proxy-Authenticate"), proxy=True)
        session = DigestSession(challenges[0], Credentials("alice", "wonderland"), "c")
        value = session.authorize("MESSAGE", "sip:bob@10.0.1.1", b"")
        caller.send(
            caller.request(
                "MESSAGE", "sip:bob@10.0.1.1", ("Proxy-Authorization", value), sender="sip:alice@example.org"
            )
        )
        await asyncio.sleep(0.1)
        assert "Proxy-Authorization" not in bob.last.headers

    in_domain(test)


@pytest.mark.parametrize(
    ("answers", "best"),
    [
        ((404, 486), {404, 486}),
        ((486, 603), {603}),
        ((500, 404), {404}),
        ((503, 503), {500}),
        ((486, 484), {484}),
    ],
)
def test_the_best_of_several_answers(in_domain: InDomain, answers: tuple[int, int], best: set[int]) -> None:
    async def test(home: Domain) -> None:
        phones = [await Peer.at(home, f"10.0.1.{number}") for number in (1, 2)]
        caller = await Peer.at(home, "10.0.1.9")
        for phone in phones:
            await phone.ask(phone.register())
        await caller.ask(caller.request("INVITE", "sip:bob@example.org"))
        for phone, status in zip(phones, answers, strict=True):
            phone.reply(status)
        await asyncio.sleep(0.1)
        assert caller.answer.status in best

    in_domain(test, users=None)


def test_challenges_of_all_branches_come_back(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        phones = [await Peer.at(home, f"10.0.1.{number}") for number in (1, 2)]
        caller = await Peer.at(home, "10.0.1.9")
        for phone in phones:
            await phone.ask(phone.register())
        await caller.ask(caller.request("INVITE", "sip:bob@example.org"))
        for phone, realm in zip(phones, "ab", strict=True):
            phone.reply(401, ("WWW-Authenticate", f'Digest realm="{realm}", nonce="n"'))
        await asyncio.sleep(0.1)
        challenges, _ = read_challenges(caller.answer.headers.get_all("WWW-Authenticate"))
        assert {challenge.realm for challenge in challenges} == {"a", "b"}

    in_domain(test, users=None)


def test_one_answers_and_the_other_is_cancelled(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        fast, slow = [await Peer.at(home, f"10.0.1.{number}") for number in (1, 2)]
        caller = await Peer.at(home, "10.0.1.9")
        for phone in (fast, slow):
            await phone.ask(phone.register())
        await caller.ask(caller.request("INVITE", "sip:bob@example.org"))
        ringing = slow.last
        fast.reply(200)
        await asyncio.sleep(0.1)
        assert caller.answer.status == 200
        assert slow.last.method == "INVITE"  # a CANCEL waits for a provisional response
        slow.reply(180)
        await asyncio.sleep(0.1)
        assert slow.last.method == "CANCEL"
        assert slow.last.via.branch == ringing.via.branch
        slow.reply(200)
        slow.reply(487, to=ringing)
        await asyncio.sleep(0.1)
        assert slow.last.method == "ACK"
        statuses = [m.status for m in caller.received if isinstance(m, Response)]
        assert 487 not in statuses

    in_domain(test, users=None)


def test_a_phone_that_rings_for_ever(in_domain: InDomain) -> None:
    """Timer C (section 16.8): cancelled, and given up when not even that is answered."""

    async def test(home: Domain) -> None:
        bob, caller = await Peer.at(home, "10.0.1.1"), await Peer.at(home, "10.0.1.2")
        await bob.ask(bob.register())
        await caller.ask(caller.request("INVITE", "sip:bob@example.org"))
        bob.reply(180)
        await asyncio.sleep(TIMER_C + 1)
        assert bob.last.method == "CANCEL"
        await asyncio.sleep(35)
        assert caller.answer.status == 408

    in_domain(test, users=None)


def test_nobody_there(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        home.network.host("10.0.1.7")
        caller = await Peer.at(home, "10.0.1.2")
        statuses = await caller.ask(caller.request("INVITE", "sip:x@10.0.1.7"), 40)
        assert statuses[-1] in (408, 500)
        assert await caller.ask(caller.request("INVITE", "sip:x@nowhere.example"), 40) != []
        assert caller.answer.status in (408, 500)

    in_domain(test, users=None)


# The registrar.


def test_what_is_bound_is_told(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        bob = await Peer.at(home, "10.0.1.1")
        instance = '"<urn:uuid:1>"'
        contact = f"<sip:bob@10.0.1.1>;q=0.5;+sip.instance={instance};reg-id=1"
        extras = [("Supported", "gruu, outbound, path"), ("Expires", "90000")]
        assert await bob.ask(bob.register("bob", *extras, contact=contact)) == [200]
        (bound,) = bob.answer.contacts
        assert (bound.params["expires"], bound.params["q"]) == ("7200", "0.5")
        assert bound.params["pub-gruu"] == "sip:bob@example.org;gr=urn:uuid:1"
        assert bob.answer.require == ("outbound",)
        # The same flow of the same phone at another address takes its place.
        moved = contact.replace("10.0.1.1", "10.0.1.77")
        await bob.ask(bob.register("bob", contact=moved, call_id="other"))
        assert home.registrar.bindings == {"bob": ["sip:bob@10.0.1.77"]}
        # A GRUU is that phone and no other.
        await bob.ask(bob.register("bob", contact="<sip:bob@10.0.1.1>", call_id="third"))
        caller = await Peer.at(home, "10.0.1.2")
        routed = first(home.registrar, "routed")
        caller.send(caller.request("MESSAGE", "sip:bob@example.org;gr=urn:uuid:1"))
        assert (await routed).targets == ["sip:bob@10.0.1.77"]
        assert await bob.ask(bob.register("bob", ("Expires", "0"), contact="*", call_id="fourth")) == [200]
        assert home.registrar.bindings == {}

    in_domain(test, users=None)


def test_bindings_expire(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        bob = await Peer.at(home, "10.0.1.1")
        await bob.ask(bob.register("bob", ("Expires", "60")))
        await asyncio.sleep(59)
        assert home.registrar.bindings
        await asyncio.sleep(2)
        assert home.registrar.bindings == {}

    in_domain(test, users=None)


def test_an_old_request_that_comes_late(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        bob = await Peer.at(home, "10.0.1.1")
        assert await bob.ask(bob.register(cseq="5")) == [200]
        assert await bob.ask(bob.register("bob", ("Expires", "0"), cseq="4")) == [500]
        assert await bob.ask(bob.register("bob", ("Expires", "0"), cseq="4", contact="*")) == [500]
        assert home.registrar.bindings

    in_domain(test, users=None)


@pytest.mark.parametrize(
    ("headers", "changed", "status"),
    [
        ([("Expires", "30")], {}, 423),
        ([("Require", "path, magic")], {}, 420),
        ([], {"contact": "*"}, 400),
        ([], {"contact": "<tel:+123>"}, 400),
        ([], {"to": "sip:bob@elsewhere.example"}, 404),
        ([], {"to": "sip:example.org"}, 404),
        ([], {"contact": ", ".join(f"<sip:b@10.0.1.{n}>" for n in range(20))}, 503),
    ],
)
def test_what_is_not_registered(
    in_domain: InDomain, headers: list[tuple[str, str]], changed: dict[str, str], status: int
) -> None:
    async def test(home: Domain) -> None:
        bob = await Peer.at(home, "10.0.1.1")
        assert await bob.ask(bob.register("bob", *headers, **changed)) == [status]
        assert home.registrar.bindings == {}
        if status == 423:
            assert bob.answer.headers.get("Min-Expires") == "60"
        if status == 420:
            assert bob.answer.headers.get("Unsupported") == "magic"

    in_domain(test, users=None)


def test_a_registration_by_way_of_another_proxy(in_domain: InDomain) -> None:
    """RFC 3327: calls go back through it."""

    async def test(home: Domain) -> None:
        edge = await Peer.at(home, "10.0.1.1")
        path = ("Path", "<sip:10.0.1.1;lr>")
        through = edge.register("bob", path, ("Supported", "path"), contact="<sip:bob@192.168.0.9>")
        through.headers.add("Via", "SIP/2.0/UDP 192.168.0.9;branch=z9hG4bKinner")
        assert await edge.ask(through) == [200]
        assert edge.answer.headers.get("Path") == "<sip:10.0.1.1;lr>"
        caller = await Peer.at(home, "10.0.1.2")
        caller.send(caller.request("MESSAGE", "sip:bob@example.org"))
        await asyncio.sleep(0.1)
        assert edge.last.request_uri == "sip:bob@192.168.0.9"
        assert [str(route) for route in edge.last.routes] == ["<sip:10.0.1.1;lr>"]

    in_domain(test, users=None)


def test_the_algorithms_are_a_choice(in_domain: InDomain) -> None:
    """Every phone can do MD5; ours take the strongest of what is offered."""

    async def test(home: Domain) -> None:
        bob = await Peer.at(home, "10.0.1.1")
        assert await bob.ask(bob.register()) == [401]
        challenges, _ = read_challenges(bob.answer.headers.get_all("WWW-Authenticate"))
        assert [challenge.algorithm for challenge in challenges] == ["SHA-512-256", "SHA-256", "MD5"]
        await home.phone("alice")
        sent = [message.data for message in home.messages if b"Authorization: Digest" in message.data]
        assert b"algorithm=SHA-512-256" in sent[-1]

    in_domain(test, algorithms=("SHA-512-256", "SHA-256", "MD5"))


def test_a_nonce_is_used_once(in_domain: InDomain) -> None:
    """The very same credentials once more: challenged anew, and the nonce is called stale."""

    async def test(home: Domain) -> None:
        bob = await Peer.at(home, "10.0.1.1")
        assert await bob.ask(bob.register()) == [401]
        challenges, _ = read_challenges(bob.answer.headers.get_all("WWW-Authenticate"))
        session = DigestSession(challenges[0], Credentials("bob", "builder"), "c")
        value = session.authorize("REGISTER", "sip:example.org", b"")
        assert await bob.ask(bob.register("bob", ("Authorization", value))) == [200]
        assert await bob.ask(bob.register("bob", ("Authorization", value))) == [401]
        (stale, *_), _ = read_challenges(bob.answer.headers.get_all("WWW-Authenticate"))
        assert stale.stale

    in_domain(test)
