"""A domain in virtual time: its registrar, and phones that register with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from dialog.user_agent import TracedMessage
from sipmedia import Account, IncomingCall, PhoneConfig, Softphone
from sipmedia.registrar import Registrar
from sipmedia.simulation import Host, Link, Network, Simulation

DOMAIN = "example.org"
USERS = {"alice": "wonderland", "bob": "builder", "carol": "christmas"}


class Domain:
    """The registrar at 10.0.0.1, and a host for each phone."""

    def __init__(
        self, network: Network, registrar: Registrar, stack: AsyncExitStack, messages: list[TracedMessage]
    ) -> None:
        self.network = network
        self.registrar_host = network.host("10.0.0.1", name="registrar.example")
        self.registrar = registrar
        self.stack = stack
        self.messages = messages
        """What the registrar received and sent."""
        self.hosts: dict[str, Host] = {}
        self._hosts = 1

    def link_to(self, phone: Softphone) -> Link:
        """What lies between the registrar and a phone."""
        host, port = phone.address
        return self.network.link(self.registrar_host, self.hosts[f"{host}:{port}"])

    def lines(self, direction: str = "sent") -> list[str]:
        """The methods and statuses that the registrar sent (or received), in order."""
        found = [message.data for message in self.messages if message.direction == direction]
        lines = [data.split(b"\r\n", 1)[0].decode() for data in found]
        return [line.split()[1] if line.startswith("SIP/") else line.split()[0] for line in lines]

    async def phone(
        self,
        user: str,
        on_call: Callable[[IncomingCall], object] | None = None,
        *,
        register: bool = True,
        bind: str = "",
        config: PhoneConfig | None = None,
        **settings: Any,
    ) -> Softphone:
        """A phone on a host of its own, open until the end."""
        if not bind:
            self._hosts += 1
            bind = f"10.0.0.{self._hosts}:5060"
            self.hosts[bind] = self.network.host(bind.partition(":")[0])
        settings.setdefault("password", USERS.get(user, "nothing"))
        settings.setdefault("registrar", "10.0.0.1:5060")
        phone = Softphone(Account(f"sip:{user}@{DOMAIN}", **settings), bind=bind, config=config)
        if on_call is not None:
            phone.on("incoming_call", on_call)
        await self.stack.enter_async_context(phone)
        if register:
            await phone.register()
        return phone


async def answer(event: IncomingCall) -> None:
    """A handler that answers, and says back what it hears."""
    await event.call.answer()
    event.call.echo()


Test = Callable[[Domain], Coroutine[Any, Any, None]]


@pytest.fixture
def in_domain() -> Callable[..., None]:
    """Runs a test in virtual time with a domain of its own."""

    def run(test: Test, *, users: dict[str, str] | None = USERS, seed: int = 1, **settings: Any) -> None:
        network = Network(seed=seed)

        async def main() -> None:
            async with domain(network, users, **settings) as home:
                await test(home)

        Simulation(network).run(main(), 7 * 24 * 3600)

    return run


@asynccontextmanager
async def domain(network: Network, users: dict[str, str] | None, **settings: Any) -> AsyncIterator[Domain]:
    """The registrar, and what is opened in it closed again."""
    messages: list[TracedMessage] = []
    registrar = Registrar(DOMAIN, users, bind="10.0.0.1:5060", on_message=messages.append, **settings)
    async with AsyncExitStack() as stack:
        home = Domain(network, registrar, stack, messages)
        await stack.enter_async_context(registrar)
        yield home
