"""Phones that register and call each other through the proxy (RFC 3665 sections 2 and 3)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from dialog.uri import SipUri
from sipmedia import Account, CallFailed, IncomingCall, NotRegistered, RegistrationFailed, Unregistered
from tests.sipmedia.kit import first
from tests.sipmedia.registrar.conftest import USERS, Domain, answer

InDomain = Callable[..., None]


def test_register_and_leave(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        bindings = first(home.registrar, "bindings")
        phone = await home.phone("alice")
        assert home.lines("received") == ["REGISTER", "REGISTER"]
        assert home.lines() == ["401", "200"]
        assert (await bindings).user == "alice"
        assert home.registrar.bindings == {"alice": ["sip:alice@10.0.0.2:5060"]}
        (registration,) = phone.registrations
        assert registration.is_registered
        assert 3599 < registration.expires_in <= 3600
        assert registration.contacts == [registration.contact] == ["sip:alice@10.0.0.2:5060"]
        left: asyncio.Future[Unregistered] = first(phone, "unregistered")
        await phone.unregister()
        assert (await left).status == 200
        assert home.registrar.bindings == {}
        assert phone.registrations == []
        # The credentials were known by then.
        assert home.lines()[2:] == ["200"]

    in_domain(test)


def test_a_closing_phone_takes_its_binding_back(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        phone = await home.phone("alice", register=False)
        await phone.register()
        await phone.aclose()
        assert home.registrar.bindings == {}

    in_domain(test)


def test_a_wrong_password(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        phone = await home.phone("alice", register=False, password="looking glass")
        failed: asyncio.Future[RegistrationFailed] = first(phone, "registration_failed")
        with pytest.raises(NotRegistered, match=r"password were refused by realm 'example\.org'") as error:
            await phone.register()
        assert (error.value.status, (await failed).retry_in) == (401, None)
        assert "looking glass" not in str(error.value)
        assert home.lines("received") == ["REGISTER", "REGISTER"]
        await asyncio.sleep(7200)
        assert len(home.messages) == 4

    in_domain(test)


def test_stays_registered_for_a_day(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        phone = await home.phone("alice", expires=300)
        for _ in range(24 * 60):
            await asyncio.sleep(60)
            assert home.registrar.bindings
        assert phone.registrations[0].is_registered

    in_domain(test)


def test_a_registrar_that_was_away(in_domain: InDomain) -> None:
    """Its answers are missing for ten minutes; the phone is back by itself."""

    async def test(home: Domain) -> None:
        phone = await home.phone("alice", expires=120)
        link = home.link_to(phone)
        link.cut()
        failed = await first(phone, "registration_failed")
        assert failed.status in (408, 503)
        assert failed.retry_in is not None
        await asyncio.sleep(600)
        assert not phone.registrations[0].is_registered
        link.heal()
        await first(phone, "registered")
        assert home.registrar.bindings

    in_domain(test)


def test_a_call_through_the_proxy(in_domain: InDomain) -> None:
    """RFC 3665 section 3.2 with one proxy: 407, the call with sound both ways, the BYE through the proxy."""

    async def test(home: Domain) -> None:
        alice = await home.phone("alice")
        await home.phone("bob", answer)
        del home.messages[:]
        call = await alice.call("sip:bob@example.org")
        await asyncio.sleep(1)
        await call.hangup()
        await asyncio.sleep(1)
        statistics = call.statistics()
        assert statistics is not None
        assert statistics.media["audio"].packets_received > 40
        assert home.lines("received") == ["INVITE", "ACK", "INVITE", "200", "ACK", "BYE", "200"]
        assert home.lines() == ["407", "INVITE", "200", "ACK", "BYE", "200"]

    in_domain(test)


def test_bob_hangs_up_through_the_proxy(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        async def answer_and_leave(event: IncomingCall) -> None:
            await event.call.answer()
            await asyncio.sleep(0.5)
            await event.call.hangup()

        alice = await home.phone("alice")
        await home.phone("bob", answer_and_leave)
        call = await alice.call("sip:bob@example.org")
        assert (await call.ended()).by == "remote"
        assert home.lines()[-2:] == ["BYE", "200"]

    in_domain(test)


def test_hold_and_resume_through_the_proxy(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        alice = await home.phone("alice")
        await home.phone("bob", answer)
        call = await alice.call("sip:bob@example.org")
        await call.hold()
        await call.resume()
        await call.hangup()
        assert home.lines("received").count("INVITE") == 4  # two to begin with, and one each

    in_domain(test)


@pytest.mark.parametrize(
    ("target", "status"),
    [("sip:bob@example.org", 480), ("sip:nobody@example.org", 404)],
)
def test_whoever_is_not_there(in_domain: InDomain, target: str, status: int) -> None:
    async def test(home: Domain) -> None:
        alice = await home.phone("alice")
        refused = first(home.registrar, "refused")
        with pytest.raises(CallFailed) as failed:
            await alice.call(target)
        assert failed.value.status == status
        assert (await refused).status == status

    in_domain(test)


def test_cancelled_through_the_proxy(in_domain: InDomain) -> None:
    """RFC 3665 section 3.8: CANCEL, 487 and ACK on both sides."""

    async def test(home: Domain) -> None:
        alice = await home.phone("alice")
        bob = await home.phone("bob", lambda event: None)
        incoming = first(bob, "incoming_call")
        call = alice.dial("sip:bob@example.org")
        theirs = (await incoming).call
        await first(call, "ringing")
        del home.messages[:]
        await call.hangup()
        assert (await theirs.ended()).by == "remote"
        await asyncio.sleep(1)
        assert sorted(home.lines()) == ["200", "487", "ACK", "CANCEL"]

    in_domain(test)


def test_two_phones_ring_and_one_is_answered(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        alice = await home.phone("alice")
        desk = await home.phone("bob", lambda event: None)
        await home.phone("bob", answer)
        missed = first(desk, "incoming_call")
        call = await alice.call("sip:bob@example.org")
        ended = await (await missed).call.ended()
        assert ended.by == "remote"
        assert len(home.registrar.bindings["bob"]) == 2
        await asyncio.sleep(1)
        statistics = call.statistics()
        assert statistics is not None
        assert statistics.media["audio"].packets_received > 40

    in_domain(test)


def test_two_phones_and_both_refuse(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        alice = await home.phone("alice")
        await home.phone("bob", lambda event: event.call.reject(486))
        await home.phone("bob", lambda event: event.call.reject(404))
        with pytest.raises(CallFailed) as failed:
            await alice.call("sip:bob@example.org")
        assert failed.value.status in (404, 486)

    in_domain(test)


def test_declined_everywhere_ends_the_others(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        alice = await home.phone("alice")
        desk = await home.phone("bob", lambda event: None)
        await home.phone("bob", lambda event: event.call.reject(603))
        missed = first(desk, "incoming_call")
        with pytest.raises(CallFailed) as failed:
            await alice.call("sip:bob@example.org")
        assert failed.value.status == 603
        await (await missed).call.ended()

    in_domain(test)


def test_a_name_that_is_not_yours(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        eve = await home.phone("alice", register=False, auth_user="bob", password="builder")
        with pytest.raises(NotRegistered) as refused:
            await eve.register()
        assert refused.value.status == 403
        with pytest.raises(CallFailed) as failed:
            await eve.call("sip:carol@example.org")
        assert failed.value.status == 403

    in_domain(test)


def test_without_passwords_anybody_registers(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        zoe = await home.phone("zoe", password=None)
        await home.phone("yann", answer, password=None)
        call = await zoe.call("sip:yann@example.org")
        await call.hangup()
        assert set(home.registrar.bindings) == {"zoe", "yann"}

    in_domain(test, users=None)


def test_behind_a_nat(in_domain: InDomain) -> None:
    """The phone registers its public address, and calls come in through the mapping it keeps open."""

    async def test(home: Domain) -> None:
        nat = home.network.nat("port_restricted", "198.51.100.1", timeout=30)
        nat.host("192.168.1.10")
        bob = await home.phone("bob", answer, bind="192.168.1.10:5060")
        (contact,) = home.registrar.bindings["bob"]
        assert contact.startswith("sip:bob@198.51.100.1:")
        assert bob.registrations[0].contact == contact
        alice = await home.phone("alice")
        await asyncio.sleep(1000)
        call = await alice.call("sip:bob@example.org")
        await call.hangup()

    in_domain(test)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_another_network_is_another_address(in_domain: InDomain, transport: str) -> None:
    """A phone that listens on all its addresses names the one it is reached at now."""

    async def test(home: Domain) -> None:
        host = home.network.host("10.0.0.20", "10.0.0.21")
        with host:
            alice = await home.phone("alice", bind="0.0.0.0:5060", transport=transport)
        bob = await home.phone("bob", answer)
        assert "10.0.0.20" in home.registrar.bindings["alice"][0]
        with host:
            call = await alice.call("sip:bob@example.org")
        assert b"c=IN IP4 10.0.0.20" in call.usage.request.body
        host.addresses = ("10.0.0.21",)
        again = first(alice, "registered")
        with host:
            alice.network_changed()
            await asyncio.wait_for(again, 1)
        (contact,) = home.registrar.bindings["alice"]
        assert "10.0.0.21" in contact
        await call.hold()
        assert "10.0.0.21" in str(bob.calls[0].usage.confirmed_dialog.remote_target)
        await call.hangup()
        with host:
            call = await alice.call("sip:bob@example.org")
        assert b"c=IN IP4 10.0.0.21" in call.usage.request.body
        await call.hangup()

    in_domain(test)


def test_over_tcp(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        alice = await home.phone("alice", transport="tcp")
        await home.phone("bob", answer)
        assert home.registrar.bindings["alice"] == ["sip:alice@10.0.0.2:5060;transport=tcp"]
        call = await alice.call("sip:bob@example.org")
        await call.hold()
        await call.hangup()

    in_domain(test)


def test_passwords_are_in_no_trace(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        alice = await home.phone("alice")
        await home.phone("bob", answer)
        call = await alice.call("sip:bob@example.org")
        await call.hangup()
        shown = b"".join(message.data for message in home.messages)
        assert b'response="***"' in shown
        assert b"wonderland" not in shown
        assert "wonderland" not in repr(alice.accounts) + repr(home.registrar.policy)

    in_domain(test)


def test_a_gruu_is_one_phone_of_several(in_domain: InDomain) -> None:
    """RFC 5627: calls to it, and requests inside calls, come to that very phone."""

    async def test(home: Domain) -> None:
        alice = await home.phone("alice")
        await home.phone("bob", lambda event: event.call.reject(486), instance="urn:uuid:desk")
        mobile = await home.phone("bob", answer, instance="urn:uuid:mobile")
        (registration,) = mobile.registrations
        assert registration.gruu == "sip:bob@example.org;gr=urn:uuid:mobile"
        assert len(registration.contacts) == 2
        call = await alice.call(registration.gruu)
        assert call.usage.confirmed_dialog.remote_target == SipUri.parse(registration.gruu)
        await asyncio.sleep(60)  # the ACK went there, or the callee had hung up after half a minute
        await mobile.calls[0].hold()
        await call.hold()
        await call.hangup()

    in_domain(test)


def test_several_registrations_are_renewed_over_one_connection(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        phone = await home.phone("alice", transport="tcp", expires=120)
        other = Account(
            "sip:carol@example.org", password=USERS["carol"], registrar="10.0.0.1:5060", transport="tcp"
        )
        await phone.register(other)
        await asyncio.sleep(600)
        assert set(home.registrar.bindings) == {"alice", "carol"}
        assert len(home.registrar.core.connections) == 1

    in_domain(test)


def test_an_anonymous_call_goes_by_the_account_it_is_placed_with(in_domain: InDomain) -> None:
    """Its password and its proxy; the callee sees nobody's name."""

    async def test(home: Domain) -> None:
        alice, bob = await home.phone("alice"), await home.phone("bob", answer)
        call = await alice.call("sip:bob@example.org", anonymous=True)
        (other,) = bob.calls
        assert other.anonymous
        assert b"alice" not in bytes(other.usage.request)
        assert home.lines("received").count("INVITE") >= 1
        await call.hangup()
        await other.ended()

    in_domain(test)


def test_credentials_make_a_call_too_long_for_udp(in_domain: InDomain) -> None:
    """The INVITE goes on by TCP (RFC 3261 section 18.1.1), and so does what follows in that call."""

    async def test(home: Domain) -> None:
        alice, bob = await home.phone("alice", expires=300), await home.phone("bob", answer)
        call = await alice.call("sip:bob@example.org", headers=[("Subject", "x" * 330)])
        invites = [message for message in home.messages if message.data.startswith(b"INVITE")]
        assert [(message.direction, message.transport) for message in invites[:2]] == [
            ("received", "UDP"),
            ("received", "TCP"),
        ]
        assert len(invites[0].data) < 1300 < len(invites[1].data)
        (other,) = bob.calls
        for one, far in ((call, other), (other, call)):
            await one.hold()
            await asyncio.sleep(0.1)
            assert far.held_by_remote
            await one.resume()
        await asyncio.sleep(400)  # the registration is renewed meanwhile
        await other.hangup()
        assert (await call.ended()).by == "remote"

    in_domain(test)


def test_a_long_call_from_behind_a_nat_names_the_mapping_that_is_kept_open(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        home.network.nat("port_restricted", "198.51.100.1", timeout=60).host("192.168.1.10")
        alice = await home.phone("alice", bind="192.168.1.10:5060")
        bob = await home.phone("bob", answer)
        call = await alice.call("sip:bob@example.org", headers=[("Subject", "x" * 500)])
        assert call.usage.request.via.transport == "TCP"
        (contact,) = call.usage.request.contacts
        assert [str(contact.uri)] == home.registrar.bindings["alice"]
        await asyncio.sleep(300)
        await bob.calls[0].hangup()
        assert (await call.ended()).by == "remote"

    in_domain(test)


def test_the_registrar_is_believed_and_passes_on_nobodys_assertions(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        alice, bob = await home.phone("alice"), await home.phone("bob", answer)
        call = await alice.call(
            "sip:bob@example.org",
            headers=[
                ("P-Asserted-Identity", "<sip:bank@example.com>"),
                ("Remote-Party-ID", "<sip:bank@example.com>"),
            ],
        )
        (other,) = bob.calls
        assert other.usage.is_trusted
        assert call.usage.is_trusted
        assert other.identities.claimed is None
        await call.hangup()
        # What does not come by the registrar comes from a stranger.
        call = await alice.call("sip:bob@10.0.0.3:5060")
        assert not bob.calls[-1].usage.is_trusted
        assert not call.usage.is_trusted
        await call.hangup()

    in_domain(test)
