"""Answering 401 and 407 (RFC 3261 section 22, RFC 8760), for every request that the core sends.

`Core.send_request` puts an `Attempt` between a transaction and its user. A challenge that we have credentials
for is answered by the same request once more: a new branch, the next CSeq number, the same Call-ID and From.
The user sees the final outcome only, with a Warning that says why when a challenge could not be answered. The
`Request` it made is kept up to date, so that the ACK of a 2xx and the dialog have the right numbers.
Credentials that were accepted go along with later requests of the same account to the same next hop: those
for a proxy with all of them (section 22.3), those for a user agent or registrar with those to the same To
(section 22.2), for they travel on to whoever is called. The nonce-count grows: each saves a round trip.

It cannot loop: a realm that refuses what was made from its own challenge is not answered again, unless it
says that the nonce was stale, or another server asks; and no request is sent more than `MAX_ATTEMPTS` times.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import TYPE_CHECKING, Literal

from dialog.challenge import read_auth, read_challenges
from dialog.dialog import DialogRequest
from dialog.digest import Credentials, DigestSession, choose
from dialog.flow import HostPort
from dialog.grammar import quote
from dialog.identity import sender_of
from dialog.message import Request, Response
from dialog.transaction.client import ClientTransaction, ClientUser
from dialog.uri import SipUri, Uri

if TYPE_CHECKING:
    from dialog.core import Core
    from dialog.outgoing import Outgoing

CredentialsFor = Callable[[str, Uri], Credentials | None]
"""Asked with a realm and the From URI of the request; None when there are none."""

MAX_ATTEMPTS = 6
"""How often one request is sent at most: two realms, each with a stale nonce or two."""

_MAX_SESSIONS = 4096

_WARN_AGENT = "authentication"

_FIELDS = ("Authorization", "Proxy-Authorization")

_Place = tuple[str, str, int, str]
"""From whom and to which next hop requests go, and to whom: "" where that does not matter."""
_Places = tuple[_Place, ...]
"""Of credentials for user agents, and of those for proxies."""
_Realm = tuple[bool, str]
"""Proxy or not, and the realm."""


class Authentication:
    """The challenges that one core has answered. `credentials_for` is the application's; None has none."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.credentials_for: CredentialsFor | None = None
        # In the order of use, so that what is forgotten first was used longest ago.
        self._sessions: dict[_Place, dict[_Realm, DigestSession]] = {}

    def follow(self, request: Request, user: ClientUser, hop: Uri, outgoing: Outgoing) -> ClientUser:
        """Put what credentials we know into a request about to be sent; gives the user of its transaction."""
        if self.credentials_for is None or request.method in ("ACK", "CANCEL"):
            return user
        places = _places(request, hop)
        sessions = self.sessions(places)
        if sessions:
            for place in places:
                if place in self._sessions:
                    self._sessions[place] = self._sessions.pop(place)
            _authorize(request, sessions)
        return Attempt(self, request, user, places, outgoing)

    def remember(self, place: _Place, realm: _Realm, session: DigestSession) -> None:
        """Later requests to this place carry credentials of this session."""
        sessions = self._sessions.pop(place, {})
        if len(self._sessions) >= _MAX_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[place] = sessions
        sessions.pop(realm, None)
        sessions[realm] = session
        if len(sessions) > MAX_ATTEMPTS:
            del sessions[next(iter(sessions))]

    def forget(self, place: _Place, realm: _Realm) -> None:
        """These credentials were refused: do not show them again unasked."""
        sessions = self._sessions.get(place)
        if sessions is not None:
            sessions.pop(realm, None)
            if not sessions:
                del self._sessions[place]

    def sessions(self, places: _Places) -> dict[_Realm, DigestSession]:
        """What requests to these places carry."""
        found: dict[_Realm, DigestSession] = {}
        for place in places:
            found.update(self._sessions.get(place, {}))
        return found

    def session_for(
        self, request: Request, places: _Places, response: Response, answered: Container[_Realm]
    ) -> tuple[list[tuple[_Realm, DigestSession]], list[str]]:
        """New sessions for the challenges of a response, and sentences about those not answered."""
        headers = response.headers
        challenges, unusable = read_challenges(headers.get_all("WWW-Authenticate"))
        more, wrong = read_challenges(headers.get_all("Proxy-Authenticate"), proxy=True)
        chosen, unknown = choose((*challenges, *more))
        sessions = []
        refused: list[str] = []
        assert self.credentials_for is not None
        for realm, challenge in chosen.items():
            if realm in answered and not challenge.stale:
                self.forget(places[realm[0]], realm)
                refused.append(f"user name or password were refused by realm {challenge.realm!r}")
                continue
            credentials = self.credentials_for(challenge.realm, sender_of(request))
            if credentials is None:
                refused.append(f"there is no password for realm {challenge.realm!r}")
                continue
            cnonce = f"{self._core.random.getrandbits(64):016x}"
            try:
                sessions.append((realm, DigestSession(challenge, credentials, cnonce)))
            except ValueError as error:
                refused.append(str(error))
        # What nobody can use matters only where nothing better was offered.
        return sessions, refused or [f"cannot answer {what}" for what in (*unusable, *wrong, *unknown)]


class Attempt:
    """One request on its way, sent again when it is challenged: the user of each of its transactions."""

    __slots__ = ("_answered", "_authentication", "_outgoing", "_places", "_request", "_sent", "_user")

    def __init__(
        self,
        authentication: Authentication,
        request: Request,
        user: ClientUser,
        places: _Places,
        outgoing: Outgoing,
    ) -> None:
        self._authentication = authentication
        self._request = request
        self._user = user
        self._places = places
        self._outgoing = outgoing
        self._answered: dict[_Realm, HostPort] = {}
        """The realms whose challenge was answered, and the server that it came from."""
        self._sent = 1

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        """Answer a challenge; pass everything else on."""
        if response.status in (401, 407) and not self._outgoing.abandoned:
            if self._answer(transaction, response):
                return
        elif 200 <= response.status < 300 and "Authentication-Info" in response.headers:
            self._note_next_nonce(response)
        self._user.on_response(transaction, response)

    def on_failure(
        self, transaction: ClientTransaction | None, cause: Literal["timeout", "transport"]
    ) -> None:
        """No final response will come."""
        self._user.on_failure(transaction, cause)

    def _answer(self, transaction: ClientTransaction, response: Response) -> bool:
        authentication, request = self._authentication, self._request
        server = transaction.flow.remote
        # Another server of the same domain, where the first one failed, may not know the nonces of that one.
        here = {realm for realm, asked_by in self._answered.items() if asked_by == server}
        sessions, complaints = authentication.session_for(request, self._places, response, here)
        if self._sent >= MAX_ATTEMPTS:
            sessions, complaints = [], [f"challenged again after {self._sent} attempts"]
        if not sessions:
            # What a person needs to know travels with the response, as a note of ours (section 20.43).
            why = "; ".join(complaints) or "the response holds no challenge"
            response.headers.add("Warning", f"399 {_WARN_AGENT} {quote(why)}")
            return False
        for realm, session in sessions:
            self._answered[realm] = server
            authentication.remember(self._places[realm[0]], realm, session)
        self._sent += 1
        # The old transaction answers late copies of this response by an ACK with its own branch and CSeq.
        transaction.request = Request(
            request.method, request.request_uri, request.headers.copy(), request.body
        )
        _advance(request)
        _authorize(request, authentication.sessions(self._places))
        self._outgoing.send_changed(transaction.flow)
        return True

    def _note_next_nonce(self, response: Response) -> None:
        """RFC 7616 section 3.5: the server wants another nonce the next time."""
        info = read_auth(f"Digest {response.headers.get('Authentication-Info')}")
        nonce = info[1].get("nextnonce") if info else None
        sessions = self._authentication.sessions(self._places[:1])
        # The field names no realm: with several, whose it is would be a guess.
        if nonce and len(sessions) == 1:
            ((realm, session),) = sessions.items()
            self._authentication.remember(self._places[0], realm, session.with_nonce(nonce))


def credentials_of(request: Request) -> list[tuple[str, str]]:
    """The credentials in a request: those of an INVITE go into the ACK of its 2xx, too (section 22.1)."""
    return [(name, value) for name in _FIELDS for value in request.headers.get_all(name)]


def _places(request: Request, hop: Uri) -> _Places:
    """Where credentials for user agents are remembered, and those for proxies."""
    account, recipient = str(request.from_.uri), str(request.to.uri)
    if not isinstance(hop, SipUri):
        return (account, str(hop), 0, recipient), (account, str(hop), 0, "")
    secure = hop.scheme == "sips" or hop.transport == "tls"
    host, port = hop.host.lower(), hop.port or (5061 if secure else 5060)
    return (account, host, port, recipient), (account, host, port, "")


def _advance(request: Request) -> None:
    """Make it the next request: a CSeq number of its own, and no Via yet."""
    request.headers.set("CSeq", f"{_next_sequence(request)} {request.method}")
    request.headers.remove("Via")


def _next_sequence(request: Request) -> int:
    if isinstance(request, DialogRequest):
        return request.dialog.next_sequence()
    return request.cseq.number + 1


def _authorize(request: Request, sessions: dict[_Realm, DigestSession]) -> None:
    """Put credentials for all these realms into a request, in place of what it has."""
    headers = request.headers
    for name in _FIELDS:
        headers.remove(name)
    for session in sessions.values():
        value = session.authorize(request.method, request.request_uri, request.body)
        headers.add(session.field, value)
