"""The early dialogs of a call of ours, each with its own media (RFC 3261 s13.2.2.4, RFC 3960).

A branch of a forked call that sends a session description gets a session of its own: forked from the one
that made our offer, on the same ports, or, where the offers are theirs, made for it. Whichever spoke last is
heard. The branch that is answered becomes the call's; the others are closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from media import MediaSession

if TYPE_CHECKING:
    from sipmedia.offer_answer import OfferAnswer


class EarlyMedia:
    """Sessions by early dialog (the remote tag)."""

    def __init__(self, media: OfferAnswer) -> None:
        self._media = media
        self._sessions: dict[str, MediaSession] = {}
        self._agreed: set[str] = set()

    def preview(self, dialog: str, body: bytes) -> None:
        """A description that binds nobody: what the branch sends may be heard. A later one replaces it."""
        self.end(dialog)
        self._fork(dialog).set_remote_answer(body)

    def answer(self, dialog: str, body: bytes) -> None:
        """The branch's answer to our offer, in a reliable provisional response or in the 2xx to an UPDATE."""
        session = self._sessions.get(dialog)
        if dialog not in self._agreed:
            self.end(dialog)
            session = self._fork(dialog)
            self._agreed.add(dialog)
        assert session is not None
        session.set_remote_answer(body)

    def answer_to(self, dialog: str, body: bytes) -> bytes:
        """Our answer to an offer of the branch, in a reliable provisional response or in an UPDATE."""
        media = self._media
        session = self._sessions.get(dialog)
        if session is None:
            session = self._sessions[dialog] = media.manager.create_session_from_sdp(body)
            if media.session is None:
                media.adopt(session)
            self._agreed.add(dialog)
        else:
            session.set_remote_offer(body)
        return session.create_answer(media.wanted()).encode()

    def settle(self, dialog: str) -> None:
        """This branch is the call: what it agreed upon is what the call goes by."""
        session, own = self._sessions.get(dialog), self._media.session
        if session is not None and dialog in self._agreed and session is not own:
            if own is not None and session.local_address == own.local_address:
                own.take_over(session)
            else:
                self._sessions.pop(dialog)
                self._media.adopt(session)
                if own is not None:
                    own.close()
        self.close()

    def end(self, dialog: str) -> None:
        """The branch is over (199), or says something new."""
        session = self._sessions.pop(dialog, None)
        self._agreed.discard(dialog)
        if session is not None and session is not self._media.session:
            session.close()

    def close(self) -> None:
        """Close all branches."""
        for dialog in list(self._sessions):
            self.end(dialog)

    def _fork(self, dialog: str) -> MediaSession:
        own = self._media.session
        assert own is not None
        session = self._sessions[dialog] = own.fork()
        self._media.on_session(session)
        return session
