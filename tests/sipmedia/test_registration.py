"""sipmedia/registration.py and account.py: what a phone does about accounts, as its user sees it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dialog.digest import Credentials
from dialog.registration import RegistrationState
from dialog.uri import SipUri
from sipmedia import Account, InvalidAddress, NotRegistered, PhoneClosed, PhoneConfig, Softphone
from sipmedia.account import Transport
from sipmedia.registrar import Registrar
from tests.sipmedia.kit import first, run, run_for_real

USERS = {"alice": "wonderland", "bob": "builder"}


def test_an_account_that_registers_when_the_phone_opens() -> None:
    async def test() -> None:
        async with Registrar("example.org", USERS, bind="127.0.0.1:0") as registrar:
            server = f"127.0.0.1:{registrar.address[1]}"
            account = Account("sip:alice@example.org", password="wonderland", register=True, registrar=server)
            phone = Softphone(account, bind="127.0.0.1:0")
            registered = first(phone, "registered")
            async with phone:
                event = await registered
                assert (event.account, event.expires, event.renewal) == (account, 3600, False)
                assert event.contact == f"sip:alice@127.0.0.1:{phone.address[1]}"
                (registration,) = phone.registrations
                assert registration.state is RegistrationState.REGISTERED
                # Registered is registered: asked again it is refreshed.
                assert await phone.register(account) is registration
                phone.network_changed()
                assert (await first(phone, "registered")).renewal
            assert registrar.bindings == {}

    run(test())


def test_on_real_sockets() -> None:
    async def test() -> None:
        async with Registrar("example.org", USERS, bind="127.0.0.1:0") as registrar:
            server = f"127.0.0.1:{registrar.address[1]}"
            accounts = [
                Account(f"sip:{user}@example.org", password=password, registrar=server)
                for user, password in USERS.items()
            ]
            async with (
                Softphone(accounts[0], bind="127.0.0.1:0") as alice,
                Softphone(accounts[1], bind="127.0.0.1:0") as bob,
            ):
                await asyncio.gather(alice.register(), bob.register())
                bob.on("incoming_call", lambda event: event.call.reject(486))
                call = alice.dial("sip:bob@example.org")
                assert (await call.ended()).status == 486
            assert registrar.bindings == {}

    run_for_real(test())


def test_several_accounts_of_one_phone() -> None:
    async def test() -> None:
        async with (
            Registrar("a.example", USERS, bind="127.0.0.1:5070") as one,
            Registrar("b.example", {"alice": "other"}, bind="127.0.0.1:5071") as two,
        ):
            accounts = [
                Account("sip:alice@a.example", password="wonderland", registrar="127.0.0.1:5070"),
                Account("sip:bob@a.example", password="builder", registrar="127.0.0.1:5070"),
                Account("sip:alice@b.example", password="other", registrar="127.0.0.1:5071"),
            ]
            async with Softphone(*accounts, bind="127.0.0.1:5060") as phone:
                await asyncio.gather(*(phone.register(account) for account in accounts))
                assert set(one.bindings) == {"alice", "bob"}
                assert set(two.bindings) == {"alice"}
                await phone.unregister(accounts[1])
                assert set(one.bindings) == {"alice"}
                assert [r.account for r in phone.registrations] == [accounts[0], accounts[2]]
                await phone.unregister(accounts[1])  # nothing happens

    run(test())


def test_a_registrar_that_is_not_there() -> None:
    async def test() -> None:
        account = Account("sip:alice@127.0.0.1:5999")
        async with Softphone(account, bind="127.0.0.1:5060") as phone:
            with pytest.raises(NotRegistered, match="does not answer") as refused:
                await phone.register()
            assert refused.value.status in (408, 503)
            (registration,) = phone.registrations
            assert not registration.is_registered
            assert registration.expires_in == 0
            assert registration.gruu == ""

    run(test())


def test_a_registrar_that_has_no_address() -> None:
    async def test() -> None:
        async with Softphone(Account("sip:alice@nowhere.example"), bind="127.0.0.1:5060") as phone:
            with pytest.raises(NotRegistered) as refused:
                await phone.register()
            assert refused.value.status == 503
            assert "nowhere.example" in refused.value.why

    run(test())


def test_closing_does_not_wait_for_a_dead_registrar() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        async with Registrar("127.0.0.1", bind="127.0.0.1:5070") as registrar:
            account = Account("sip:alice@127.0.0.1:5070", register=True)
            config = PhoneConfig(close_timeout=0.5)
            phone = Softphone(account, bind="127.0.0.1:5060", config=config)
            async with phone:
                await first(phone, "registered")
                await registrar.aclose()
                began = loop.time()
            assert loop.time() - began <= 1.0
            assert phone.registrations == []

    run(test())


def test_a_phone_that_is_closed() -> None:
    async def test() -> None:
        phone = Softphone(Account("sip:alice@127.0.0.1"))
        with pytest.raises(PhoneClosed):
            await phone.register()

    run(test())


ALICE = Account("sip:alice@example.org", password="one")
BOB = Account("sip:bob@example.org", password="two", realm="pbx", auth_user="1002")
CARL = Account("sip:carl@example.net", password="three")


@pytest.mark.parametrize(
    ("realm", "identity", "password"),
    [
        ("anything", SipUri("alice", "Example.org"), "one"),
        ("anything", SipUri("alice", "10.0.0.1"), "one"),  # as a caller named us
        ("pbx", SipUri("bob", "example.org"), "two"),
        ("anything", SipUri("bob", "example.org"), None),  # bob's password is for one realm
        ("example.net", SipUri("anonymous", "anonymous.invalid"), "three"),
        ("elsewhere", SipUri("anonymous", "anonymous.invalid"), None),
    ],
)
def test_whose_password_answers_a_challenge(realm: str, identity: SipUri, password: str | None) -> None:
    async def test() -> None:
        async with Softphone(ALICE, BOB, CARL, bind="127.0.0.1:5060") as phone:
            found = phone._credentials(realm, identity)
            assert (found.password if found is not None else None) == password

    run(test())


def test_an_account_as_the_registrar_is_asked_for_it() -> None:
    account = Account("sip:alice@example.org", display_name="Alice", transport="tcp", instance="urn:uuid:1")
    settings = account.registration
    assert str(settings.registrar) == "sip:example.org"
    assert str(settings.hop) == "sip:example.org;transport=tcp"
    assert (settings.instance, settings.reg_id, settings.expires) == ("urn:uuid:1", 1, 3600)
    assert (account.user, account.domain, str(account.address)) == (
        "alice", "example.org", "Alice <sip:alice@example.org>"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("registrar", "transport", "home"),
    [
        ("", "", None),
        ("10.0.0.1:5070", "", "sip:10.0.0.1:5070"),
        ("[::1]:5070", "tls", "sip:[::1]:5070;transport=tls"),
        ("sip:pbx;transport=tcp", "udp", "sip:pbx;transport=tcp"),
        ("sips:pbx", "", "sips:pbx"),
    ],
)
def test_where_the_domain_is(registrar: str, transport: Transport, home: str | None) -> None:
    account = Account("sip:alice@example.org", registrar=registrar, transport=transport)
    assert (str(account.home) if account.home else None) == home


def test_an_outbound_proxy() -> None:
    account = Account("sip:alice@example.org", outbound_proxy="proxy:5080", transport="tcp")
    assert [str(route) for route in account.proxies] == ["<sip:proxy:5080;transport=tcp;lr>"]
    assert account.registration.route_set == account.proxies


def test_the_password_shows_nowhere() -> None:
    assert "one" not in repr(ALICE)
    assert BOB.credentials == Credentials("1002", "two")
    assert Account("sip:alice@example.org").credentials is None
    with pytest.raises(InvalidAddress, match="control characters"):
        _ = Account("sip:alice@example.org", password="x", auth_user="a\r\nb").credentials


@pytest.mark.parametrize(
    "wrong", [{"registrar": "not a server"}, {"outbound_proxy": "a b"}, {"expires": 0}, {"expires": 2**31}]
)
def test_accounts_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidAddress):
        Account("sip:alice@example.org", **wrong)
