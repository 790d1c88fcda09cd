"""One call takes the place of another, and its sound goes on: what is played and who listens moves over."""

from media.session import MediaSession

__all__ = ["hand_over"]


def hand_over(old: MediaSession, new: MediaSession) -> None:
    """Let `new` play and be heard where `old` was, as far as the application set it up.

    Its sources (`set_source`, and what `play` was given) move when both sessions have the same sample rate,
    for a source is made for one; its sinks, taps and frame readers move in any case. What was written and is
    not sent yet stays behind. `old` is left silent.
    """
    new.path.take_over(old.path)
    new.take_readers(old)
