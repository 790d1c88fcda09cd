"""An offer repeated word for word: Negotiation.repeat_offer, MediaSession.repeat_offer and take_over."""

from __future__ import annotations

import pytest

from media import InvalidState, MediaDirection, MediaManager, SessionConstraints, SessionState


def test_both_sides_repeat_what_they_said_last() -> None:
    with MediaManager() as manager:
        mine, offer = manager.create_offer(SessionConstraints(audio_codecs=("PCMU", "PCMA")))
        theirs = manager.create_session_from_sdp(offer)
        answer = theirs.create_answer(SessionConstraints(audio_codecs=("PCMA",)))
        mine.set_remote_answer(answer)
        assert mine.repeat_offer() == offer
        theirs.set_remote_offer(offer)
        assert theirs.create_answer() == answer, "the version stays, for nothing has changed"
        mine.set_remote_answer(answer)
        assert theirs.repeat_offer() == answer
        mine.set_remote_offer(answer)
        mine.create_answer()
        theirs.rollback()
        assert mine.codec == theirs.codec == "PCMA"


def test_a_hold_is_repeated_as_a_hold() -> None:
    with MediaManager() as manager:
        mine, offer = manager.create_offer()
        theirs = manager.create_session_from_sdp(offer)
        mine.set_remote_answer(theirs.create_answer())
        hold = mine.create_offer(SessionConstraints(audio_direction=MediaDirection.SENDONLY))
        theirs.set_remote_offer(hold)
        mine.set_remote_answer(theirs.create_answer())
        assert mine.repeat_offer() == hold
        theirs.set_remote_offer(hold)
        mine.set_remote_answer(theirs.create_answer())
        assert (mine.direction, theirs.direction) == (MediaDirection.SENDONLY, MediaDirection.RECVONLY)


def test_after_a_refused_offer_the_version_grows() -> None:
    with MediaManager() as manager:
        mine, offer = manager.create_offer()
        mine.set_remote_answer(manager.create_session_from_sdp(offer).create_answer())
        mine.create_offer(SessionConstraints(audio_direction=MediaDirection.SENDONLY))
        mine.rollback()
        again = mine.repeat_offer()
        assert again.splitlines()[2:] == offer.splitlines()[2:]
        assert again.splitlines()[1] != offer.splitlines()[1]


def test_nothing_to_repeat() -> None:
    with MediaManager() as manager:
        mine, _ = manager.create_offer()
        with pytest.raises(InvalidState):
            mine.repeat_offer()
        mine.rollback()
        with pytest.raises(InvalidState, match="nothing was agreed"):
            mine.repeat_offer()


def test_a_session_stands_where_its_fork_does() -> None:
    with MediaManager() as manager:
        mine, offer = manager.create_offer()
        branch = mine.fork()
        branch.set_remote_answer(manager.create_session_from_sdp(offer).create_answer())
        states = [mine.state]
        mine.take_over(branch)
        branch.close()
        assert [*states, mine.state] == [SessionState.NEGOTIATING, SessionState.ACTIVE]
        assert mine.codec == "PCMU"
        assert mine.repeat_offer() == offer
