"""The networks that speech is sent through."""

from __future__ import annotations

from dataclasses import dataclass

from sipmedia.simulation import GilbertElliott, Network

ALICE, BOB = "10.0.0.1", "10.0.0.2"
"""Who speaks, and who listens."""
_DELAY_S = 0.02
_PHASE_S = 0.02
"""The listener's clock ticks so often; where in between a packet comes is the seed's, too."""


@dataclass(frozen=True)
class Condition:
    """A network: the share of packets it loses, in bursts of how many, and how much delays vary."""

    loss: float = 0.0
    burst: float = 1.0
    jitter_ms: float = 0.0

    @property
    def name(self) -> str:
        """For the table."""
        loss = f"{self.loss:.0%} loss" + (f" in bursts of {self.burst:g}" if self.burst > 1 else "")
        return f"{loss}, {self.jitter_ms:g} ms jitter"

    def network(self, seed: int) -> Network:
        """Alice and Bob, and this between them; what is lost and late is the seed's."""
        network = Network(seed)
        alice, bob = network.host(ALICE), network.host(BOB)
        loss = GilbertElliott.of(self.loss, self.burst) if self.burst > 1 else self.loss
        # Golden ratio: a few seeds are spread evenly already.
        delay = _DELAY_S + seed * 0.618 % 1.0 * _PHASE_S
        network.link(alice, bob, delay=delay, loss=loss, jitter=self.jitter_ms / 1000)
        return network


CONDITIONS = (
    *(Condition(loss) for loss in (0.0, 0.01, 0.03, 0.05, 0.10)),
    *(Condition(loss, 3.0) for loss in (0.01, 0.03, 0.05, 0.10)),
    *(Condition(loss, 1.0, jitter) for jitter in (20.0, 60.0) for loss in (0.0, 0.03)),
)
