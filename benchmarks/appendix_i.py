"""Plain G.711 Appendix I repetition, to compare with: `media.audio.concealment` blind to what comes after."""

from media.audio.concealment import Concealer
from media.frame import Samples


class AppendixI(Concealer):
    """Conceals the losses of one stream by repetition alone."""

    def between(self, n: int, after: Samples) -> Samples:
        """What comes after makes no difference."""
        return self.conceal(n)
