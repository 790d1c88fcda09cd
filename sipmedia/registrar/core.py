"""The registrar and proxy, without I/O: what comes is registered, answered, or sent on (RFC 3261 section 16).

It is a `dialog` core that keeps no calls: the same transactions, connections and ways to the wire. Who is
here, and may do what, is decided in this file; sending on is in `forwarding`, who is where in `location`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, ClassVar

from dialog.authenticator import Authenticator, Outcome
from dialog.core import Core
from dialog.digest import Credentials
from dialog.errors import ParseError
from dialog.flow import Flow
from dialog.grammar import quote
from dialog.incoming import IncomingRequest
from dialog.message import Request
from dialog.reception import Reception
from dialog.server_selection import is_ip_address
from dialog.uri import SipUri, Uri
from sipmedia.registrar.events import BindingsChanged, RegistrarEvent, RequestRefused, RequestRouted
from sipmedia.registrar.forwarding import Forwarded, Forwarding, Hop, pass_ack, take_own_routes
from sipmedia.registrar.location import Location

METHODS = (
    "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, MESSAGE, SUBSCRIBE, NOTIFY, REFER, INFO, UPDATE, PRACK"
)


@dataclass(frozen=True, slots=True)
class Policy:
    """One domain, and who may use it: names and passwords, or with None everybody by any name."""

    domain: str
    users: dict[str, str] | None = field(default=None, repr=False)
    min_expires: int = 60
    max_expires: int = 7200
    algorithms: Sequence[str] = ("MD5",)
    """Of Digest, the preferred first. Phones that know MD5 only do not register where another is offered, too
    (baresip 1.0 is one), so that is a choice."""


class RegistrarCore(Core):
    """The core of one domain's registrar. `obey` is called once, before anything comes."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._reception = _Reception(self)
        self.tell: Callable[[RegistrarEvent], None] = lambda event: None
        self.policy = Policy("localhost")
        self.location = Location()
        self._authenticator: Authenticator | None = None
        self._own: set[tuple[str, int]] = set()
        self._salt = self.random.getrandbits(128).to_bytes(16, "big")

    def obey(self, policy: Policy) -> None:
        """Serve this domain."""
        self.policy = policy
        self.location = Location(policy.min_expires, policy.max_expires)
        if policy.users is not None:
            users = {name: Credentials(name, password) for name, password in policy.users.items()}
            secret = self.random.getrandbits(256).to_bytes(32, "big")
            self._authenticator = Authenticator(
                policy.domain, users.get, secret, algorithms=policy.algorithms
            )

    def flow_lost(self, flow: Flow, now: float, reason: str = "") -> None:
        """A connection is gone, and with it the phones behind it."""
        super().flow_lost(flow, now, reason)
        if flow.connection:
            self.location.drop(flow)

    def new_branch(self, request: Request) -> str:
        """A branch that tells what the request looked like when it came, for loops (section 16.6, step 8)."""
        branch = super().new_branch(request)
        return f"{branch}.{request.mark}" if isinstance(request, Forwarded) else branch

    def mark(self, request: Request) -> str:
        """The same for a request that comes again just as it is, and only here (RFC 5393 section 4.2.1)."""
        parts = (request.request_uri, str(request.to.tag), str(request.from_.tag), request.call_id,
                 str(request.cseq), *request.headers.get_all("Route"))  # fmt: skip
        return blake2b(
            "\0".join(parts).encode("utf-8", "surrogateescape"), digest_size=6, key=self._salt
        ).hexdigest()

    def is_ours(self, uri: Uri) -> bool:
        """Whether a URI is of our domain, or our own address."""
        if not isinstance(uri, SipUri):
            return False
        host = uri.host.lower()
        if host == self.policy.domain.lower() and (uri.port is None or not is_ip_address(host)):
            return True
        secure = uri.scheme == "sips" or (uri.params.get("transport") or "").lower() == "tls"
        return (host, uri.port or (5061 if secure else 5060)) in self._own

    # What comes.

    def serve(self, incoming: IncomingRequest) -> None:
        """A request other than ACK and CANCEL (sections 16.3 and 16.4)."""
        request = incoming.request
        self._own.add(self.public_address(incoming.flow))
        if not isinstance(request.uri, SipUri):
            incoming.respond(416)
        elif request.max_forwards == 0:
            incoming.respond(483)
        elif any((via.branch or "").endswith(f".{self.mark(request)}") for via in request.vias):
            incoming.respond(482)
        elif request.headers.split_all("Proxy-Require"):
            wanted = ", ".join(request.headers.split_all("Proxy-Require"))
            incoming.respond(420, None, [("Unsupported", wanted)])
        else:
            self._decide(incoming)

    def pass_ack(self, ack: Request, flow: Flow) -> None:
        """The ACK of a 2xx: sent on without a transaction."""
        self._own.add(self.public_address(flow))
        if ack.max_forwards == 0:
            return
        take_own_routes(self, ack)
        uri = ack.uri
        if not ack.routes and isinstance(uri, SipUri) and self.is_ours(uri):
            hops = self._phones(uri)  # one, which said its GRUU in its Contact
        else:
            hops = [Hop(uri, None if ack.routes else self._way_to(uri))]
        for hop in hops[:1]:
            pass_ack(self, ack, hop)

    def _decide(self, incoming: IncomingRequest) -> None:
        """Where to, and whether it may (section 16.5)."""
        request, mark = incoming.request, self.mark(incoming.request)
        inside = take_own_routes(self, request) and request.to.tag is not None
        uri = request.uri
        ours = not request.routes and self.is_ours(uri)
        if request.method == "REGISTER" and ours:
            self._register(incoming)
        elif not inside and not self._admits(incoming, ours):
            return
        elif not ours:
            flow = None if request.routes else self._way_to(uri)
            self._forward(incoming, [Hop(uri, flow)], mark)
        elif isinstance(uri, SipUri) and uri.user:
            self._deliver(incoming, uri, mark)
        elif request.method == "OPTIONS":
            incoming.respond(200, None, [("Allow", METHODS)])
        else:
            self._refuse(incoming, 404, "there is nobody without a name")

    def _way_to(self, uri: Uri) -> Flow | None:
        """The way to a phone that is registered there; for others it is found as usual."""
        return self.location.flow_to(uri, self.now)

    def _phones(self, uri: SipUri) -> list[Hop]:
        """Every phone of a user, or by a GRUU one of them.

        A SIPS URI means TLS up to the phone: none that registered without is called (RFC 5630 section 5.3).
        """
        key = uri.user or "", self.policy.domain.lower()
        return [
            Hop(binding.uri, binding.flow, binding.path)
            for binding in self.location.find(key, self.now, uri.params.get("gr"))
            if uri.scheme == "sip" or binding.uri.scheme == "sips"
        ]

    def _deliver(self, incoming: IncomingRequest, uri: SipUri, mark: str) -> None:
        """To every phone that the user has registered."""
        user, hops = uri.user or "", self._phones(uri)
        if hops:
            self._forward(incoming, hops, mark)
        elif self.policy.users is None or user in self.policy.users:
            domain = self.policy.domain
            if uri.scheme == "sips" and self.location.find((user, domain.lower()), self.now):
                why = f"{user} is registered as sip:{user}@{domain}, which a sips: call does not reach"
                warning = f"380 {domain} {quote('SIPS Not Allowed: ' + why)}"  # RFC 5630 section 6.3
                self._refuse(incoming, 480, why, [("Warning", warning)])
            else:
                self._refuse(incoming, 480, f"{user} is not registered")
        else:
            self._refuse(incoming, 404, f"there is no {user}")

    def _forward(self, incoming: IncomingRequest, hops: list[Hop], mark: str) -> None:
        request = incoming.request
        if request.to.tag is None:
            targets = [str(hop.uri) for hop in hops]
            self.tell(RequestRouted(request.method, str(request.from_.uri), str(request.to.uri), targets))
        Forwarding(self, incoming, hops, mark).start()

    # Who may.

    def _register(self, incoming: IncomingRequest) -> None:
        """Section 10.3."""
        request, address = incoming.request, incoming.request.to.uri
        unknown = [tag for tag in request.require if tag not in ("path", "gruu", "outbound")]
        if unknown:
            incoming.respond(420, None, [("Unsupported", ", ".join(unknown))])
        elif not isinstance(address, SipUri) or not address.user or not self.is_ours(address):
            self._refuse(incoming, 404, "that address is not of this domain")
        elif self._is_proven(incoming, "Authorization", address.user):
            key = address.user, self.policy.domain.lower()
            status, headers = self.location.register(key, request, incoming.flow, self.now)
            incoming.respond(status, None, headers)
            if status == 200 and "Contact" in request.headers:
                now = self.now
                found = [(str(b.uri), round(b.expires_at - now)) for b in self.location.find(key, now)]
                self.tell(BindingsChanged(address.user, found))

    def _admits(self, incoming: IncomingRequest, ours: bool) -> bool:
        """Our users call everybody, if they prove who they are; everybody calls our users."""
        sender = incoming.request.from_.uri
        if isinstance(sender, SipUri) and self.is_ours(sender):
            return self._is_proven(incoming, "Proxy-Authorization", sender.user or "")
        if not ours and self.policy.users is not None:
            self._refuse(incoming, 403, "neither from nor to this domain")
            return False
        return True

    def _is_proven(self, incoming: IncomingRequest, name: str, user: str) -> bool:
        """Whether credentials show that this user asks; if not, the answer is given."""
        authenticator, request = self._authenticator, incoming.request
        if authenticator is None:
            return True
        verdict = authenticator.check(
            request.headers.get_all(name), request.method, request.request_uri, request.body, self.now
        )
        if verdict.outcome is Outcome.ACCEPTED and verdict.username == user:
            if name == "Proxy-Authorization":
                request.headers.remove(name)  # ours, and of no use further on
            return True
        if verdict.outcome is Outcome.ACCEPTED:
            self._refuse(incoming, 403, f"{verdict.username} is not {user}")
            return False
        if verdict.outcome is Outcome.REFUSED:
            self.tell(_refused(request, 401, verdict.why))
        stale = verdict.outcome is Outcome.STALE
        status, field_name = (
            (401, "WWW-Authenticate") if name == "Authorization" else (407, "Proxy-Authenticate")
        )
        challenges = authenticator.challenges(self.now, self.random, stale=stale)
        incoming.respond(status, None, [(field_name, challenge) for challenge in challenges])
        return False

    def _refuse(
        self, incoming: IncomingRequest, status: int, why: str, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        incoming.respond(status, None, headers)
        self.tell(_refused(incoming.request, status, why))


def _refused(request: Request, status: int, why: str) -> RequestRefused:
    return RequestRefused(request.method, str(request.from_.uri), str(request.to.uri), status, why)


class _Reception(Reception):
    """What comes is for others: no usage of ours takes it, and copies that came by two ways are two."""

    __slots__ = ()

    forwards: ClassVar[bool] = True
    _core: RegistrarCore

    def _receive_request(self, request: Request, flow: Flow, answer_flow: Flow) -> None:
        core = self._core
        transaction = core.layer.find_server(request)
        if request.method == "ACK":
            if transaction is None:
                core.pass_ack(request, flow)
            else:
                transaction.receive_ack(request)
        elif transaction is not None:
            transaction.receive_again()
        elif len(core.layer) >= core.config.max_transactions:
            self._answer_statelessly(request, answer_flow, 503, None, (("Retry-After", "5"),))
        else:
            incoming = IncomingRequest(core, request, core.layer.serve(request, answer_flow), flow)
            if request.method == "CANCEL":
                self._receive_cancel(incoming)
                return
            try:
                core.serve(incoming)
            except ParseError as error:
                incoming.respond(400, error.reason)
