"""Registering and staying registered, in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from dialog.address import NameAddr
from dialog.bindings import AT_ONCE
from dialog.config import UserAgentConfig
from dialog.digest import Credentials
from dialog.errors import LocalProtocolError
from dialog.events import OptionsAnswered
from dialog.flow import Flow
from dialog.message import Request, Response
from dialog.registration import Registration, RegistrationSettings, RegistrationState
from dialog.registration_events import Registered, RegistrationFailed, Unregistered
from dialog.uri import SipUri

if TYPE_CHECKING:
    from tests.dialog.conftest import Party, Stranger, Wire

REGISTRAR = ("192.0.2.50", 5060)
AOR = NameAddr(SipUri("alice", "a.example"), "Alice")
Reply = Callable[[Request], tuple[int, list[tuple[str, str]]]]


class Inbox(list[Request | Response]):
    """What a stranger was sent; each message is shown to somebody at once."""

    def __init__(self, show: Callable[[Request], None]) -> None:
        super().__init__()
        self._show = show

    def append(self, message: Request | Response) -> None:
        super().append(message)
        if isinstance(message, Request):
            self._show(message)


class Registrar:
    """A phone, and the registrar it talks to: `reply` gives status and headers for each new request."""

    def __init__(self, wire: Wire, config: UserAgentConfig | None = None) -> None:
        self.wire = wire
        self.alice: Party = wire.party(("192.0.2.1", 5060), config)
        self.peer: Stranger = wire.stranger(REGISTRAR, self.alice)
        self.granted: int | None = 3600
        self.seen_at: tuple[str, int] | None = None
        self.reply: Reply = self.accept
        self._answered: set[str] = set()
        self.peer.received = Inbox(self.answer)

    def accept(self, request: Request) -> tuple[int, list[tuple[str, str]]]:
        """200 with the bindings asked for."""
        alive = [c for c in request.headers.get_all("Contact") if not c.endswith(";expires=0")]
        contacts = [f"{c.partition(';expires=')[0]};expires={self.granted}" for c in alive]
        return 200, [("Contact", contact) for contact in contacts]

    def register(self, **changes: Any) -> Registration:
        settings = {"registrar": SipUri(None, "192.0.2.50"), "address_of_record": AOR, **changes}
        return self.alice.core.register(RegistrationSettings(**settings))

    def contact_of_a_call(self) -> str | None:
        """What an INVITE of the same account says."""
        self.alice.core.invite("sip:bob@192.0.2.50", from_="<sip:alice@a.example>", body=b"v=0")
        self.run(0.1)
        return self.alice.requests("INVITE")[-1].headers.get("Contact")

    @property
    def requests(self) -> list[Request]:
        """The REGISTERs sent so far, without retransmissions."""
        return list({request.via.branch: request for request in self.alice.requests("REGISTER")}.values())

    @property
    def times(self) -> list[float]:
        """When they were sent."""
        times: dict[str, float] = {}
        for time, message in self.alice.sent:
            if isinstance(message, Request) and message.method == "REGISTER":
                times.setdefault(message.via.branch or "", time)
        return list(times.values())

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.wire.run(seconds)

    def answer(self, request: Request) -> None:
        branch = request.via.branch or ""
        if branch in self._answered or request.method != "REGISTER":
            return
        self._answered.add(branch)
        status, headers = self.reply(request)
        if not status:
            return
        if self.seen_at is not None:
            host, port = self.seen_at
            request.replace_via(request.via.with_params(received=host, rport=str(port)))
        response = Response.to_request(request, status, to_tag="reg", headers=headers)
        self.wire.inject(REGISTRAR, self.alice.address, bytes(response), 0.01)


@pytest.fixture
def registrar(wire: Wire) -> Registrar:
    return Registrar(wire)


def refuse(status: int, *headers: tuple[str, str]) -> Reply:
    return lambda request: (status, list(headers))


def test_register_refresh_unregister(registrar: Registrar) -> None:
    registration = registrar.register()
    registrar.run(1)
    (request,) = registrar.requests
    assert request.request_uri == "sip:192.0.2.50"
    assert str(request.to) == "Alice <sip:alice@a.example>"
    assert request.from_.uri == AOR.uri
    assert request.headers.get("Contact") == "<sip:alice@192.0.2.1:5060>;expires=3600"
    assert "path" in request.supported
    registered = registrar.alice.only(Registered)
    assert (registered.expires, registered.renewal, registered.registration) == (3600, False, registration)
    assert registration.state is RegistrationState.REGISTERED
    assert [str(binding.uri) for binding in registration.grant.bindings] == ["sip:alice@192.0.2.1:5060"]
    registrar.run(3600)
    assert len(registrar.requests) == 2
    assert 2880 <= registrar.times[1] - registrar.times[0] <= 3241
    again = registrar.requests[1]
    assert (again.call_id, again.from_) == (request.call_id, request.from_)
    assert again.cseq.number == request.cseq.number + 1
    assert registrar.alice.of(Registered)[1].renewal
    registration.unregister()
    registration.unregister()
    registrar.run(1)
    assert registrar.requests[2].headers.get("Contact") == "<sip:alice@192.0.2.1:5060>;expires=0"
    assert registrar.requests[2].expires == 0
    ended = registrar.alice.only(Unregistered)
    assert (ended.status, registration.state) == (200, RegistrationState.ENDED)
    registrar.run(40)
    assert registrar.alice.core.next_deadline() is None
    assert len(registrar.alice.core.bindings) == 0
    with pytest.raises(LocalProtocolError, match="over"):
        registration.refresh()


def test_an_hour_and_a_day_are_kept_for_a_week(registrar: Registrar) -> None:
    registration = registrar.register()
    registrar.run(7 * 24 * 3600)
    assert 180 < len(registrar.requests) < 215
    assert registration.state is RegistrationState.REGISTERED
    gaps = [b - a for a, b in zip(registrar.times, registrar.times[1:], strict=False)]
    assert max(gaps) < 3600
    assert not registrar.alice.of(RegistrationFailed)


def test_the_registrar_decides_how_long(registrar: Registrar) -> None:
    registrar.granted = 120
    registrar.register()
    registrar.run(100)
    assert registrar.alice.of(Registered)[0].expires == 120
    assert 71 <= registrar.times[1] - registrar.times[0] <= 85


def test_a_registrar_that_shows_no_contact_of_ours(registrar: Registrar) -> None:
    registrar.reply = lambda request: (
        200,
        [("Contact", "<sip:x@203.0.113.9>;expires=60"), ("Expires", "90")],
    )
    registrar.register()
    registrar.run(1)
    assert registrar.alice.only(Registered).expires == 90


def test_a_route_that_cannot_be_read(registrar: Registrar) -> None:
    registrar.reply = lambda request: (200, [("Service-Route", "<sip:x"), ("Flow-Timer", "soon")])
    registration = registrar.register()
    registrar.run(1)
    assert registrar.alice.only(Registered).expires == 3600
    grant = registration.grant
    assert (grant.bindings, grant.service_route, grant.flow_timer) == ((), (), None)


def test_a_binding_of_no_time_is_a_failure(registrar: Registrar) -> None:
    registrar.granted = 0
    registrar.register()
    registrar.run(1)
    failed = registrar.alice.only(RegistrationFailed)
    assert failed.retry_in is not None
    assert "keeps no binding" in failed.reason


def test_interval_too_brief(registrar: Registrar) -> None:
    def reply(request: Request) -> tuple[int, list[tuple[str, str]]]:
        return registrar.accept(request) if request.expires == 1800 else (423, [("Min-Expires", "1800")])

    registrar.reply = reply
    registrar.granted = 1800
    registrar.register(expires=60)
    registrar.run(1)
    assert [request.expires for request in registrar.requests] == [60, 1800]
    assert registrar.alice.only(Registered).expires == 1800


@pytest.mark.parametrize("shortest", ["60", "99999999", "x", ""])
def test_a_423_that_makes_no_sense_is_not_followed(registrar: Registrar, shortest: str) -> None:
    registrar.reply = refuse(423, ("Min-Expires", shortest or "0"))
    registration = registrar.register(expires=60)
    registrar.run(100)
    assert len(registrar.requests) == 1
    assert registrar.alice.only(RegistrationFailed).retry_in is None
    assert registration.state is RegistrationState.FAILED


@pytest.mark.parametrize("status", [403, 404, 401])
def test_what_will_not_change_is_not_asked_again(registrar: Registrar, status: int) -> None:
    registrar.reply = refuse(status)
    registration = registrar.register()
    registrar.run(7200)
    assert len(registrar.requests) == 1
    assert registrar.alice.only(RegistrationFailed).status == status
    # The application may know better.
    registrar.reply = registrar.accept
    registration.refresh()
    registrar.run(1)
    assert registrar.alice.of(Registered)


def test_back_off_grows_and_ends_with_success(registrar: Registrar) -> None:
    registrar.reply = refuse(500)
    registrar.register()
    registrar.run(6000)
    gaps = [b - a for a, b in zip(registrar.times, registrar.times[1:], strict=False)]
    for number, gap in enumerate(gaps[:7], start=1):
        longest = min(1800, 30 * 2**number)
        assert longest / 2 - 1 <= gap <= longest + 1
    registrar.reply = registrar.accept
    registrar.run(1900)
    assert not registrar.alice.of(Registered)[0].renewal


def test_retry_after_is_kept(registrar: Registrar) -> None:
    registrar.reply = refuse(503, ("Retry-After", "300"))
    registrar.register()
    registrar.run(400)
    assert 300 <= registrar.times[1] - registrar.times[0] <= 331
    retry_in = registrar.alice.of(RegistrationFailed)[0].retry_in
    assert retry_in is not None
    assert 300 <= retry_in <= 330


def test_a_registrar_that_is_dead(registrar: Registrar) -> None:
    registrar.reply = refuse(0)
    registration = registrar.register()
    registrar.run(33)
    failed = registrar.alice.only(RegistrationFailed)
    assert (failed.status, registration.state) == (408, RegistrationState.WAITING)
    registration.unregister()
    registrar.run(1)
    assert registrar.alice.only(Unregistered).status == 0
    registrar.run(40)
    assert registrar.alice.core.next_deadline() is None


def test_leaving_before_anybody_answered(registrar: Registrar) -> None:
    registrar.reply = refuse(0)
    registration = registrar.register()
    registrar.run(0.2)
    registration.unregister()
    registrar.run(1)
    assert registrar.alice.only(Unregistered).status == 0
    assert len(registrar.alice.core.layer) == 0


def test_leaving_while_a_refresh_is_under_way(registrar: Registrar) -> None:
    registration = registrar.register()
    registrar.run(1)
    registration.refresh()
    registration.unregister()
    registrar.run(1)
    assert [request.expires for request in registrar.requests] == [3600, 3600, 0]
    assert registrar.alice.only(Unregistered).status == 200


def test_abandoned_without_a_word(registrar: Registrar) -> None:
    registration = registrar.register()
    registrar.run(1)
    registration.refresh()
    registrar.alice.drain()
    registration.abandon()
    registrar.run(40)
    assert registration.state is RegistrationState.ENDED
    assert not registrar.alice.of(Unregistered)
    assert registrar.alice.core.next_deadline() is None


def test_with_a_password(registrar: Registrar) -> None:
    core = registrar.alice.core
    core.authentication.credentials_for = lambda realm, account: Credentials("alice", "zanzibar")

    def reply(request: Request) -> tuple[int, list[tuple[str, str]]]:
        if "Authorization" in request.headers:
            return registrar.accept(request)
        return 401, [("WWW-Authenticate", 'Digest realm="a.example", nonce="n", qop="auth"')]

    registrar.reply = reply
    registration = registrar.register()
    registrar.run(1)
    assert registration.state is RegistrationState.REGISTERED
    first, second = registrar.requests
    assert second.cseq.number == first.cseq.number + 1
    assert second.headers.count("Contact") == 1
    registration.refresh()
    registrar.run(1)
    # The credentials go along unasked, and the numbers go on after the ones the challenge used.
    assert [r.cseq.number - first.cseq.number for r in registrar.requests] == [0, 1, 2]


def test_our_address_as_the_registrar_sees_it(registrar: Registrar) -> None:
    """Behind a NAT: registered again with the public address, the useless one taken back."""
    registrar.seen_at = ("203.0.113.7", 40000)
    registration = registrar.register()
    registrar.run(1)
    assert [request.headers.get_all("Contact") for request in registrar.requests] == [
        ["<sip:alice@192.0.2.1:5060>;expires=3600"],
        ["<sip:alice@203.0.113.7:40000>;expires=3600", "<sip:alice@192.0.2.1:5060>;expires=0"],
    ]
    assert str(registration.contact) == "sip:alice@203.0.113.7:40000"
    assert len(registrar.alice.of(Registered)) == 1
    # Everything else sent there says the same.
    assert registrar.contact_of_a_call() == "<sip:alice@203.0.113.7:40000>"
    # The NAT gets another mapping: found at the next refresh.
    registrar.seen_at = ("203.0.113.7", 50000)
    registration.refresh()
    registrar.run(1)
    assert str(registration.contact) == "sip:alice@203.0.113.7:50000"


@pytest.mark.parametrize("host", ["192.0.2.1", "nonsense", "192.0.2.999"])
def test_what_tells_of_no_nat(registrar: Registrar, host: str) -> None:
    registrar.seen_at = (host, 5060)
    registration = registrar.register()
    registrar.run(100)
    assert str(registration.contact) == "sip:alice@192.0.2.1:5060"
    assert len(registrar.requests) == 1
    assert registrar.alice.keep_alives == []


def test_one_address_of_ipv6_in_other_words_is_no_nat(wire: Wire) -> None:
    alice = wire.party(("2001:db8::1", 5060))
    server = wire.stranger(("2001:db8::50", 5060), alice)

    def answer(request: Request) -> None:
        request.replace_via(request.via.with_params(received="2001:DB8:0:0:0:0:0:1", rport="5060"))
        fields = [("Contact", request.headers.get("Contact") or "")]
        response = Response.to_request(request, 200, to_tag="reg", headers=fields)
        wire.inject(server.address, alice.address, bytes(response), 0.01)

    server.received = Inbox(answer)
    alice.core.register(RegistrationSettings(AOR, SipUri(None, "2001:db8::50")))
    wire.run(100)
    assert len(alice.requests("REGISTER")) == 1
    assert alice.only(Registered).expires == 3600


def test_an_address_that_changes_with_each_request_is_not_chased(registrar: Registrar) -> None:
    ports = iter(range(40000, 50000))

    def reply(request: Request) -> tuple[int, list[tuple[str, str]]]:
        registrar.seen_at = ("203.0.113.7", next(ports))
        return registrar.accept(request)

    registrar.reply = reply
    registrar.register()
    registrar.run(10)
    assert len(registrar.requests) == 4
    assert len(registrar.alice.of(Registered)) == 1


def test_an_advertised_address_is_not_given_up(wire: Wire) -> None:
    config = UserAgentConfig(bind=("192.0.2.1", 5060), advertised_host="phone.example")
    registrar = Registrar(wire, config)
    registrar.seen_at = ("203.0.113.7", 40000)
    registration = registrar.register()
    registrar.run(1)
    assert str(registration.contact) == "sip:alice@phone.example:5060"
    assert len(registrar.requests) == 1


def test_a_nat_is_kept_open(registrar: Registrar, wire: Wire) -> None:
    """Double line ends, while anything is registered there; without a NAT there are none."""
    registrar.register()
    registrar.run(300)
    assert registrar.alice.keep_alives == []
    registrar.seen_at = ("203.0.113.7", 40000)
    second = registrar.register(address_of_record=NameAddr(SipUri("ann", "a.example")))
    registrar.run(300)
    assert 9 < len(registrar.alice.keep_alives) < 14
    registrar.seen_at = None
    second.unregister()
    registrar.run(1)


def test_gruu_and_outbound(registrar: Registrar) -> None:
    instance = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"

    def reply(request: Request) -> tuple[int, list[tuple[str, str]]]:
        contact = request.headers.get("Contact") or ""
        gruus = f'{contact};pub-gruu="sip:alice@a.example;gr=1";temp-gruu="sip:t1@a.example;gr"'
        return 200, [
            ("Contact", gruus),
            ("Require", "outbound"),
            ("Flow-Timer", "60"),
            ("Path", "<sip:edge;lr>"),
        ]

    registrar.reply = reply
    registration = registrar.register(instance=instance, reg_id=1)
    registrar.run(1)
    (request,) = registrar.requests
    assert {"path", "gruu", "outbound"} <= set(request.supported)
    assert request.headers.get("Contact") == (
        f'<sip:alice@192.0.2.1:5060;ob>;+sip.instance="<{instance}>";reg-id=1;expires=3600'
    )
    grant = registration.grant
    assert (grant.public_gruu, grant.temporary_gruu) == ("sip:alice@a.example;gr=1", "sip:t1@a.example;gr")
    assert (grant.outbound, grant.flow_timer, grant.path) == (True, 60, ("<sip:edge;lr>",))
    assert registrar.contact_of_a_call() == "<sip:alice@a.example;gr=1>"


def test_without_a_gruu_the_contact_says_outbound(registrar: Registrar) -> None:
    def reply(request: Request) -> tuple[int, list[tuple[str, str]]]:
        return 200, [("Contact", request.headers.get("Contact") or ""), ("Require", "outbound")]

    registrar.reply = reply
    registrar.register(instance="urn:uuid:1", reg_id=1)
    registrar.run(1)
    assert registrar.contact_of_a_call() == "<sip:alice@192.0.2.1:5060;ob>"


def test_service_route_is_taken_by_later_requests(registrar: Registrar) -> None:
    def reply(request: Request) -> tuple[int, list[tuple[str, str]]]:
        status, headers = registrar.accept(request)
        return status, [*headers, ("Service-Route", "<sip:192.0.2.50;lr>, <sip:home.example;lr>")]

    registrar.reply = reply
    registrar.register()
    registrar.run(1)
    registrar.alice.core.options("sip:bob@b.example", from_="<sip:alice@a.example>")
    registrar.run(0.1)
    options = registrar.alice.requests("OPTIONS")[-1]
    assert [str(route) for route in options.routes] == ["<sip:192.0.2.50;lr>", "<sip:home.example;lr>"]
    assert options in registrar.peer.received
    registrar.alice.core.options("sip:bob@192.0.2.50", from_="<sip:carol@a.example>")
    registrar.run(0.1)
    assert not registrar.alice.requests("OPTIONS")[-1].routes


def test_an_outbound_proxy_and_a_registrar_by_its_address(registrar: Registrar) -> None:
    proxy = NameAddr.parse("<sip:192.0.2.50;lr>", "Route")
    registrar.register(registrar=SipUri(None, "a.example"), route_set=(proxy,))
    registrar.run(1)
    (request,) = registrar.requests
    assert (request.request_uri, [str(r) for r in request.routes]) == ("sip:a.example", [str(proxy)])
    other = NameAddr(SipUri("ann", "a.example"))
    registrar.register(
        address_of_record=other, registrar=SipUri(None, "a.example"), hop=SipUri(None, "192.0.2.50")
    )
    registrar.run(1)
    assert not registrar.requests[-1].routes
    assert len(registrar.alice.of(Registered)) == 2


def test_routes_of_an_account(registrar: Registrar) -> None:
    core = registrar.alice.core
    proxy = NameAddr.parse("<sip:192.0.2.50;lr>", "Route")
    core.bindings.set_routes(SipUri("alice", "a.example"), [proxy])
    core.options("sip:bob@b.example", from_="<sip:alice@A.example>")
    registrar.run(0.1)
    assert len(registrar.alice.requests("OPTIONS")[-1].routes) == 1
    core.bindings.set_routes(SipUri("alice", "a.example"), [])
    core.options("sip:bob@b.example", from_="<sip:alice@a.example>")
    registrar.run(40)
    assert registrar.alice.of(OptionsAnswered)[-1].response is None


def test_a_domain_that_is_found_at_an_address(registrar: Registrar) -> None:
    core = registrar.alice.core
    core.bindings.set_home(SipUri("alice", "a.example"), SipUri(None, "192.0.2.50"))
    core.options("sip:bob@A.example", from_="<sip:alice@a.example>")
    registrar.run(0.1)
    options = registrar.alice.requests("OPTIONS")[-1]
    assert (options.request_uri, options.routes) == ("sip:bob@A.example", ())
    assert options in registrar.peer.received
    core.options("sip:bob@b.example", from_="<sip:alice@a.example>")
    registrar.run(40)
    assert registrar.alice.of(OptionsAnswered)[-1].response is None


def test_the_contact_names_the_transport(registrar: Registrar) -> None:
    """Section 8.1.1.8: a SIPS address-of-record has a SIPS Contact."""
    registrar.reply = refuse(0)
    for scheme, transport, expected in (
        ("sip", "TCP", "sip:alice@192.0.2.1:5060;transport=tcp"),
        ("sip", "TLS", "sip:alice@192.0.2.1:5060;transport=tls"),
        ("sips", "TLS", "sips:alice@192.0.2.1:5060"),
        ("sips", "WSS", "sips:alice@192.0.2.1:5060;transport=ws"),
    ):
        account = NameAddr(SipUri("alice", "a.example", scheme=scheme))
        registration = registrar.register(address_of_record=account)
        request = Request("REGISTER", "sip:a.example")
        flow = Flow(transport, ("192.0.2.1", 5060), ("192.0.2.50", 5060), 1)
        registration._add_contacts(request, flow, 60)
        assert str(request.contacts[0].uri) == expected


def test_further_contacts(registrar: Registrar) -> None:
    registration = registrar.register(contacts=("<sip:alice@192.0.2.99>;q=0.2",))
    registrar.run(1)
    assert registrar.requests[0].headers.get_all("Contact")[1:] == ["<sip:alice@192.0.2.99>;q=0.2"]
    registration.unregister()
    registrar.run(1)
    assert registrar.requests[1].headers.get_all("Contact")[1:] == ["<sip:alice@192.0.2.99>;q=0.2;expires=0"]


def test_many_accounts_do_not_ask_all_at_once(registrar: Registrar) -> None:
    registrar.reply = refuse(0)
    accounts = [NameAddr(SipUri(f"user{number}", "a.example")) for number in range(100)]
    registrations = [registrar.register(address_of_record=account) for account in accounts]
    registrar.run(0.2)
    assert len(registrar.requests) == AT_ONCE
    # One that waits for its turn may leave, and one that is on its way gives it up.
    registrations[-1].unregister()
    registrations[0].unregister()
    registrar.run(0.2)
    assert len(registrar.requests) == AT_ONCE + 1
    registrar.reply = registrar.accept
    registrar.run(200)
    states = [registration.state for registration in registrations]
    assert states.count(RegistrationState.REGISTERED) == 98


def test_thousands_that_cannot_be_sent_are_no_recursion(registrar: Registrar) -> None:
    """That there is no way to the registrar is known at once."""
    for number in range(2000):
        account = NameAddr(SipUri(f"user{number}", "a.example"))
        registrar.register(
            address_of_record=account, registrar=SipUri(None, "x.example", None, {"transport": "sctp"})
        )
    registrar.run(1)
    assert len(registrar.alice.of(RegistrationFailed)) == 2000


def test_a_lost_connection_is_made_up_for(registrar: Registrar) -> None:
    registration = registrar.register()
    registrar.run(1)
    flow = registration.flow
    assert flow is not None
    # As if it had been a connection.
    stream = Flow("TCP", flow.local, flow.remote, 7)
    registration.flow = stream
    core = registrar.alice.core
    core.bindings.moved(registration)
    assert core.bindings.uses(stream)
    core.flow_lost(stream, registrar.wire.now)
    registrar.run(3)
    assert len(registrar.requests) == 2
    assert not core.bindings.uses(stream)
    assert registration.flow == flow


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"expires": 0}, "1 or more"),
        ({"reg_id": 1}, "needs an instance"),
        ({"address_of_record": NameAddr.parse("<tel:+123>", "To")}, "sip: or sips:"),
    ],
)
def test_what_cannot_be_registered(registrar: Registrar, changes: dict[str, Any], why: str) -> None:
    with pytest.raises(LocalProtocolError, match=why):
        registrar.register(**changes)


def test_another_phone_s_nonsense_in_the_list_harms_nobody(registrar: Registrar) -> None:
    registrar.reply = lambda request: (
        200,
        [
            ("Contact", "<sip:no body@x y>;expires=60"),
            ("Contact", f"{request.headers.get('Contact')}, tel:;;"),
        ],
    )
    registrar.register()
    registrar.run(1)
    assert registrar.alice.only(Registered).expires == 3600
