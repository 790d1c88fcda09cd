"""The phones of a test: named, watched, each on an address of its own, and they answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, overload

from media import ManagerConfig, MediaManager
from sipmedia.account import Account
from sipmedia.call import Call
from sipmedia.config import DEFAULT_PORT, PhoneConfig, format_address
from sipmedia.events import IncomingCall
from sipmedia.simulation.host import Host
from sipmedia.simulation.network import Network
from sipmedia.softphone import Softphone
from sipmedia.testing.tape import Tape
from sipmedia.testing.witness import CallRecord, Witness, watch

NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")
_SUBNET = "192.0.2."  # RFC 5737: an address that no network under test has


class Party(Softphone):
    """A softphone with a name and ears.

    It answers every call unless you listen to `incoming_call` yourself. `host` is its place in the
    simulated network, for `network.link(alice.host, bob.host, loss=0.05)`.
    """

    def __init__(
        self,
        name: str,
        host: Host | None,
        *,
        media: MediaManager | ManagerConfig | None = None,
        config: PhoneConfig | None = None,
    ) -> None:
        self.name = name
        self._host = host
        address = host.address if host is not None else "127.0.0.1"
        super().__init__(
            Account(f"sip:{name}@{format_address(address, DEFAULT_PORT).rpartition(':')[0]}"),
            bind=format_address(address, DEFAULT_PORT if host is not None else 0),
            media=media,
            config=config,
        )
        self._witness: Witness | None = None

    def __repr__(self) -> str:
        return f"<Party {self.name}>"

    async def start(self) -> None:
        """Listen, and be listened to."""
        await super().start()
        self._witness = watch(self, self.name)

    @property
    def host(self) -> Host:
        """Where it stands in the simulated network. :raises LookupError: in real time there is none."""
        if self._host is None:
            raise LookupError(f"{self.name} is on this machine's loopback, not in a simulated network")
        return self._host

    @property
    def uri(self) -> str:
        """What to call."""
        return f"sip:{self.name}@{format_address(*self.address)}"

    @property
    def records(self) -> list[CallRecord]:
        """The calls it had, oldest first, with what was said and heard."""
        return self._witness.records if self._witness is not None else []

    @property
    def last(self) -> CallRecord:
        """Its latest call. :raises LookupError: when it had none."""
        if not self.records:
            raise LookupError(f"{self.name} had no call yet")
        return self.records[-1]

    @property
    def last_call(self) -> Call:
        """Its latest call, as its program holds it. :raises LookupError: when it had none."""
        return self.last.call

    @property
    def heard(self) -> Tape:
        """What it heard in its latest call."""
        return self.last.heard

    @property
    def said(self) -> Tape:
        """What it said in its latest call."""
        return self.last.said

    def dial(self, target: str | Party, *args: Any, **kwargs: Any) -> Call:
        """As a softphone does, also another party."""
        return super().dial(target if isinstance(target, str) else target.uri, *args, **kwargs)

    async def call(self, target: str | Party, *args: Any, **kwargs: Any) -> Call:
        """As a softphone does, also another party."""
        return await super().call(target if isinstance(target, str) else target.uri, *args, **kwargs)

    def has_listeners(self, name: str) -> bool:
        """Whether anybody takes the event: incoming calls are always taken."""
        return name == "incoming_call" or super().has_listeners(name)

    def emit(self, event: str, *args: Any, **kwargs: Any) -> bool:
        """Tell the listeners; answer a call that nobody listens for."""
        handled = super().emit(event, *args, **kwargs)
        if event == "incoming_call" and not handled:
            incoming: IncomingCall = args[0]
            self.spawn(incoming.call.answer(), "answering a call")
            return True
        return handled


class Phones(Sequence[Party]):
    """The parties of a test: `alice, bob = phones`, `phones["carol"]`, `await phones.add()`."""

    def __init__(self, network: Network | None) -> None:
        self._network = network
        self._parties: list[Party] = []

    async def add(
        self,
        name: str | None = None,
        *,
        host: Host | None = None,
        media: MediaManager | ManagerConfig | None = None,
        config: PhoneConfig | None = None,
    ) -> Party:
        """One phone more, listening; by default on a host of its own with the next name (carol, dave...)."""
        number = len(self._parties)
        name = name or (NAMES[number] if number < len(NAMES) else f"phone{number + 1}")
        if host is None and self._network is not None:
            host = self._network.host(f"{_SUBNET}{number + 1}", name=f"{name}.example")
        party = Party(name, host, media=media, config=config)
        await party.start()
        self._parties.append(party)
        return party

    async def aclose(self) -> None:
        """Close them all."""
        await asyncio.gather(*(party.aclose() for party in self._parties))

    def __len__(self) -> int:
        return len(self._parties)

    def __iter__(self) -> Iterator[Party]:
        return iter(self._parties)

    @overload
    def __getitem__(self, index: int | str) -> Party: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Party]: ...
    def __getitem__(self, index: int | str | slice) -> Party | Sequence[Party]:
        if isinstance(index, str):
            for party in self._parties:
                if party.name == index:
                    return party
            raise KeyError(f"no phone {index!r}: there are {', '.join(p.name for p in self._parties)}")
        return self._parties[index]
