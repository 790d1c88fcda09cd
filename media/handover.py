"""One call takes the place of another, and its sound goes on: what is played and who listens moves over."""

from media.session import MediaSession

__all__ = ["hand_over"]


def hand_over(old: MediaSession, new: MediaSession) -> None:
    """Let `new` go on with what belongs to the talk and not to the session `old`.

    What `play` was given, an echo, and frame readers do; so does any other sink, tap or source that has a
    true attribute `moves_with_call`. What plays moves only between sessions of the same sample rate, for a
    source is made for one. What was written and is not sent yet stays behind; so do recordings and mixers.
    """
    new.path.take_over(old.path)
    new.take_readers(old)
