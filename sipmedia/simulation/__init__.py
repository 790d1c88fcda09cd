"""Whole calls in virtual time, on a simulated network: deterministic from a seed, much faster than life.

    network = Network(seed=7, delay=0.02)
    alice, bob = network.host("10.0.0.1"), network.host("10.0.0.2")
    network.link(alice, bob, loss=0.02, jitter=0.03)

    async def main() -> None:
        async with Softphone(bind="10.0.0.1:5060") as phone: ...

    sim = Simulation(network)
    sim.run(main(), limit=3600)
    sim.capture.save("call.pcapng")

Phones, media managers and asyncio code run in it unchanged.
"""

from sipmedia.simulation.capture import Capture
from sipmedia.simulation.errors import (
    Deadlock,
    NotSimulated,
    OutsideNetwork,
    RealSocketUsed,
    SimulationError,
    TimeLimitReached,
    TimeStandsStill,
)
from sipmedia.simulation.host import Host
from sipmedia.simulation.impairments import (
    Datagram,
    GilbertElliott,
    LinkSettings,
    LossModel,
    LossPattern,
    RandomLoss,
)
from sipmedia.simulation.link import Link, Pipe
from sipmedia.simulation.loop import VirtualLoop
from sipmedia.simulation.media import VirtualRuntime
from sipmedia.simulation.nat import Nat
from sipmedia.simulation.network import Network
from sipmedia.simulation.run import Simulation

__all__ = [
    "Capture",
    "Datagram",
    "Deadlock",
    "GilbertElliott",
    "Host",
    "Link",
    "LinkSettings",
    "LossModel",
    "LossPattern",
    "Nat",
    "Network",
    "NotSimulated",
    "OutsideNetwork",
    "Pipe",
    "RandomLoss",
    "RealSocketUsed",
    "Simulation",
    "SimulationError",
    "TimeLimitReached",
    "TimeStandsStill",
    "VirtualLoop",
    "VirtualRuntime",
]
