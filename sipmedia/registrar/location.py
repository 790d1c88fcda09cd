"""Where users are: the bindings of each address-of-record, in memory (RFC 3261 section 10.3).

No I/O and no clock: a REGISTER and the time go in, a status and headers come out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dialog.address import NameAddr
from dialog.flow import Flow
from dialog.grammar import delta_seconds
from dialog.message import Request
from dialog.uri import SipUri, Uri

MAX_BINDINGS = 10
"""Phones of one user at once."""
MAX_USERS = 10_000

Address = tuple[str, str]
"""User and domain, the latter in lower case: what a binding is for."""
Place = tuple[str | None, str, int | None]
"""User, host and port of a contact; without a user, the address at the other end of a flow."""
Answer = tuple[int, list[tuple[str, str]]]
"""Status and headers of a response."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One phone of one user. `flow` is the way its REGISTER came, when it came from the phone itself."""

    contact: NameAddr
    expires_at: float
    call_id: str
    sequence: int
    flow: Flow | None
    path: tuple[NameAddr, ...] = ()

    @property
    def uri(self) -> SipUri:
        """Where the phone is."""
        assert isinstance(self.contact.uri, SipUri)
        return self.contact.uri

    @property
    def instance(self) -> str:
        """The URN of the phone itself, "" if it gave none."""
        return (self.contact.params.get("+sip.instance") or "").strip("<>")

    @property
    def places(self) -> list[Place]:
        """By what requests for the phone name it: its contact, or, where it says in a call what it sees of
        itself (baresip on TLS), the other end of its flow."""
        places: list[Place] = [(self.uri.user or "", self.uri.host, self.uri.port)]
        if self.flow is not None:
            places.append((None, *self.flow.remote))
        return places

    def is_same(self, other: Binding) -> bool:
        """Whether `other` takes its place: the same URI, or the same flow of the same phone (RFC 5626)."""
        mine, theirs = self.contact.params.get("reg-id"), other.contact.params.get("reg-id")
        if self.instance and self.instance == other.instance and mine and theirs:
            return mine == theirs
        return self.uri == other.uri


class Location:
    """All bindings. Seconds below `min_expires` are refused by 423, those over `max_expires` cut."""

    def __init__(self, min_expires: int = 60, max_expires: int = 7200) -> None:
        self.min_expires = min_expires
        self.max_expires = max_expires
        self._bindings: dict[Address, list[Binding]] = {}
        self._owners: dict[Place, Address] = {}
        """Whose phone is where: the user of a contact need not be that of its address-of-record."""

    def find(self, address: Address, now: float, gruu: str | None = None) -> list[Binding]:
        """The phones of a user, newest first; with `gruu` the one whose instance that is (RFC 5627)."""
        known = self._bindings.get(address, ())
        alive = [binding for binding in known if binding.expires_at > now]
        if len(alive) < len(known):
            self._keep(address, alive)
        wanted = [binding for binding in alive if gruu in (None, binding.instance)]
        return sorted(wanted, key=lambda binding: -binding.expires_at)

    def flow_to(self, uri: Uri, now: float) -> Flow | None:
        """The way to a phone, if `uri` is one of its `places`: behind a NAT or on a connection there is no
        other."""
        if isinstance(uri, SipUri):
            for place in ((uri.user or "", uri.host, uri.port), (None, uri.host, uri.port)):
                owner = self._owners.get(place)
                for binding in self.find(owner, now) if owner is not None else ():
                    if place in binding.places:
                        return binding.flow
        return None

    def addresses(self) -> list[Address]:
        """Every address-of-record that something was bound to."""
        return list(self._bindings)

    def drop(self, flow: Flow) -> None:
        """A connection is gone, and with it the phones behind it (RFC 5626 section 5.3)."""
        for address, bindings in list(self._bindings.items()):
            self._keep(address, [binding for binding in bindings if binding.flow != flow])

    def register(self, address: Address, request: Request, flow: Flow, now: float) -> Answer:
        """Carry out a REGISTER, all of it or nothing."""
        bindings = self.find(address, now)
        if request.headers.get("Contact") == "*":
            if request.expires != 0:
                return 400, []
            if not all(_in_order(binding, request) for binding in bindings):
                return 500, []
            self._keep(address, [])
            return 200, []
        direct = len(request.vias) == 1
        path = tuple(NameAddr.parse(text, "Path") for text in request.headers.split_all("Path"))
        for contact in request.contacts:
            if not isinstance(contact.uri, SipUri):
                return 400, []
            seconds = self._seconds(contact, request)
            if 0 < seconds < self.min_expires:
                return 423, [("Min-Expires", str(self.min_expires))]
            new = Binding(
                replace(contact, params={k: v for k, v in contact.params.items() if k != "expires"}),
                now + min(seconds, self.max_expires),
                request.call_id,
                request.cseq.number,
                flow if direct else None,
                path,
            )
            if not all(_in_order(old, request) for old in bindings if old.is_same(new)):
                return 500, []
            bindings = [old for old in bindings if not old.is_same(new)]
            if seconds:
                bindings.append(new)
        if len(bindings) > MAX_BINDINGS or (
            address not in self._bindings and len(self._bindings) >= MAX_USERS
        ):
            return 503, [("Retry-After", "60")]
        self._keep(address, bindings)
        return 200, self._describe(address, request, now)

    def _keep(self, address: Address, bindings: list[Binding]) -> None:
        """These and no others from now on."""
        for old in self._bindings.pop(address, ()):
            for place in old.places:
                self._owners.pop(place, None)
        if bindings:
            self._bindings[address] = bindings
            self._owners.update((place, address) for binding in bindings for place in binding.places)

    def _seconds(self, contact: NameAddr, request: Request) -> int:
        """How long a binding is to last; what cannot be read means an hour (section 10.2.1.1)."""
        text = contact.params.get("expires")
        seconds = request.expires if text is None else delta_seconds(text)
        return 3600 if seconds is None else seconds

    def _describe(self, address: Address, request: Request, now: float) -> list[tuple[str, str]]:
        """The headers of the 200: everything that is bound now, and what extensions were taken up."""
        headers = []
        supported, scheme = request.supported, request.to.uri.scheme
        bindings: Sequence[Binding] = self.find(address, now)
        for binding in bindings:
            params = dict(binding.contact.params)
            if binding.instance and "gruu" in supported:
                params["pub-gruu"] = f"{scheme}:{address[0]}@{address[1]};gr={binding.instance}"
            params["expires"] = str(math.ceil(binding.expires_at - now))
            headers.append(("Contact", str(replace(binding.contact, params=params))))
        headers += [("Path", value) for value in request.headers.get_all("Path")]
        if "outbound" in supported and any("reg-id" in contact.params for contact in request.contacts):
            headers.append(("Require", "outbound"))
        return headers


def _in_order(binding: Binding, request: Request) -> bool:
    """Section 10.3, step 7: within one Call-ID the CSeq must grow, or an old request came late."""
    return binding.call_id != request.call_id or binding.sequence < request.cseq.number
