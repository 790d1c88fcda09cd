"""A phone's accounts at their registrars: registered when asked, kept so, and taken back when it closes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from dialog import registration_events as sip
from dialog.digest import Credentials
from dialog.registration import Registration as Machine
from dialog.registration import RegistrationState
from dialog.uri import SipUri, Uri
from dialog.user_agent import UserAgent
from sipmedia.account import Account
from sipmedia.emitter import Emitter
from sipmedia.errors import NotRegistered
from sipmedia.events import Registered, RegistrationFailed, Unregistered
from sipmedia.offer_answer import warning_text


class Registration:
    """One account at its registrar: what ``phone.register(account)`` gives.

    It goes on by itself: refreshed before it expires, tried again after a failure that may pass.
    """

    def __init__(self, phone: RegisteringPhone, account: Account, machine: Machine) -> None:
        self.account = account
        self._phone = phone
        self._machine = machine
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def state(self) -> RegistrationState:
        """Where it stands."""
        return self._machine.state

    @property
    def is_registered(self) -> bool:
        """Whether the registrar holds our binding, as far as we know."""
        return self.expires_in > 0

    @property
    def expires_in(self) -> float:
        """Seconds until the binding expires unless it is refreshed; 0 when there is none."""
        expires_at = self._machine.expires_at
        return max(0.0, expires_at - asyncio.get_running_loop().time()) if expires_at is not None else 0.0

    @property
    def contact(self) -> str:
        """Where the registrar finds us, "" before it was asked."""
        return str(self._machine.contact or "")

    @property
    def contacts(self) -> Sequence[str]:
        """Everything registered for the account, other phones of it too."""
        return [str(binding.uri) for binding in self._machine.grant.bindings]

    @property
    def gruu(self) -> str:
        """The public GRUU (RFC 5627): an address of this very phone, good everywhere; "" without one."""
        return self._machine.grant.public_gruu

    def refresh(self) -> None:
        """Register again now; events tell the outcome."""
        self._machine.refresh()

    async def registered(self) -> None:
        """Wait for the next answer of the registrar. :raises NotRegistered: when it is not what we want."""
        if self._machine.state is not RegistrationState.REGISTERED:
            await self._wait()

    async def unregister(self) -> None:
        """Take the binding back, and wait until the registrar has said so or did not answer."""
        self._machine.unregister()
        while self._machine.state is not RegistrationState.ENDED:
            await self._wait()

    async def _wait(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def handle(self, event: sip.RegistrationEvent) -> None:
        """What the protocol tells; called by the phone."""
        phone, account = self._phone, self.account
        if isinstance(event, sip.Registered):
            self._wake(None)
            phone.emit("registered", Registered(account, event.expires, self.contact, event.renewal))
        elif isinstance(event, sip.RegistrationFailed):
            response = event.response
            why = event.why
            if response is not None:
                why = warning_text(response.headers.get("Warning") or "")
            self._wake(NotRegistered(event.status, event.reason, why))
            failed = RegistrationFailed(account, event.status, event.reason, why, event.retry_in)
            phone.emit("registration_failed", failed)
        elif isinstance(event, sip.Unregistered):
            self._wake(None)
            phone.emit("unregistered", Unregistered(account, event.status, event.reason))

    def abandon(self) -> None:
        """The phone closes and waits no longer."""
        self._machine.abandon()
        self._wake(None)

    def _wake(self, error: NotRegistered | None) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)


class RegisteringPhone(Emitter):
    """The part of a phone that knows accounts: their passwords, servers and registrations."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[Account, None] = {}
        self._registrations: dict[Account, Registration] = {}
        self._by_machine: dict[Machine, Registration] = {}

    def _open_agent(self) -> UserAgent:
        raise NotImplementedError

    @property
    def accounts(self) -> Sequence[Account]:
        """Its identities."""
        raise NotImplementedError

    @property
    def registrations(self) -> list[Registration]:
        """The accounts that are registered, or are to be."""
        return list(self._registrations.values())

    async def register(self, account: Account | None = None) -> Registration:
        """Register an account (the first one by default) and keep it registered until the phone closes.

        Returns when the registrar has agreed; one that is registered already is refreshed.

        :raises NotRegistered: when the registrar refuses or does not answer. It is asked again all the same,
            unless that is of no use; ``registered`` and ``registration_failed`` tell.
        """
        registration = self._begin(account or self._first_account())
        await registration.registered()
        return registration

    async def unregister(self, account: Account | None = None) -> None:
        """Take an account's binding back; nothing happens if it is not registered."""
        registration = self._registrations.get(account or self._first_account())
        if registration is not None:
            await registration.unregister()

    def network_changed(self) -> None:
        """Tell the phone that its address may be another one now: every account registers again at once.

        Calls go on as far as the network lets them: what they send next names the new address.
        """
        self._open_agent().network_changed()
        for registration in self.registrations:
            registration.refresh()

    # What the phone calls.

    def _open_accounts(self, agent: UserAgent) -> None:
        """The phone listens: register those accounts that want it."""
        for account in self.accounts:
            self._know(account, agent)
            if account.register:
                self._begin(account, agent)

    def _know(self, account: Account, agent: UserAgent) -> None:
        """An account is used: its password and its servers are."""
        if account not in self._known:
            self._known[account] = None
            if account.password is not None:
                agent.authenticate(self._credentials)
            uri = account.address.uri
            assert isinstance(uri, SipUri)
            agent.route(uri, account.proxies, account.home)

    def _on_registration(self, event: sip.RegistrationEvent) -> None:
        registration = self._by_machine.get(event.registration)
        if registration is None:
            return
        if isinstance(event, sip.Unregistered):
            del self._by_machine[event.registration]
            del self._registrations[registration.account]
        registration.handle(event)

    async def _close_accounts(self, timeout: float) -> None:
        """Unregister all, as far as that can be done in so many seconds."""
        registrations = self.registrations
        ends = [asyncio.ensure_future(registration.unregister()) for registration in registrations]
        if ends:
            await asyncio.wait(ends, timeout=timeout)
        for registration in registrations:
            registration.abandon()
        await asyncio.gather(*ends, return_exceptions=True)
        self._registrations.clear()
        self._by_machine.clear()

    # Inside.

    def _first_account(self) -> Account:
        return self.accounts[0]

    def _begin(self, account: Account, agent: UserAgent | None = None) -> Registration:
        agent = agent or self._open_agent()
        self._know(account, agent)
        registration = self._registrations.get(account)
        if registration is None:
            machine = agent.register(account.registration)
            registration = Registration(self, account, machine)
            self._registrations[account] = self._by_machine[machine] = registration
        elif registration.state is not RegistrationState.REGISTERING:
            registration.refresh()
        return registration

    def _credentials(self, realm: str, identity: Uri) -> Credentials | None:
        """The password for a request from ``identity``: of the account that it is, else of the one that the
        far end may have called so (by its user alone), else of the one that is at home in this realm."""
        user, host = (identity.user, identity.host.lower()) if isinstance(identity, SipUri) else (None, "")
        able = [
            account
            for account in self._known
            if account.password is not None and account.realm in ("", realm)
        ]
        same_user = [account for account in able if account.user == user]
        exact = [account for account in same_user if account.domain.lower() == host]
        at_home = [account for account in able if realm in (account.realm, account.domain)]
        if exact:
            return exact[0].credentials
        for accounts in (same_user, at_home):
            if len(accounts) == 1:
                return accounts[0].credentials
        return None
