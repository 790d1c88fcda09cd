"""What can go wrong with a simulation itself.

    SimulationError (RuntimeError)
    ├── OutsideNetwork      also an OSError: an address that no simulated host has
    ├── RealSocketUsed      code inside opened a socket of the system
    ├── NotSimulated        code inside asked for what has no virtual counterpart
    ├── Deadlock            nothing is ready and nothing is due
    ├── TimeLimitReached    virtual time went past the limit
    └── TimeStandsStill     callbacks keep each other busy and time never moves

The last three end the run: they are raised by `Simulation.run`, not inside the code that runs.
"""


class SimulationError(RuntimeError):
    """Something the simulation cannot go on with; the message says who and what to change."""


class OutsideNetwork(SimulationError, OSError):
    """An address that no host of the simulated network has. `errno` is what a real system would say."""

    def __init__(self, errno: int, message: str) -> None:
        OSError.__init__(self, errno, message)

    def __str__(self) -> str:
        return str(self.strerror)


class RealSocketUsed(SimulationError):
    """Code inside the simulation opened a socket of the operating system."""


class NotSimulated(SimulationError, NotImplementedError):
    """Code inside the simulation asked the loop for what only a real one has (pipes, subprocesses...)."""


class Deadlock(SimulationError):
    """All tasks wait, and nothing is left that could wake them."""


class TimeLimitReached(SimulationError):
    """Virtual time reached the limit of the run and somebody still wanted more."""


class TimeStandsStill(SimulationError):
    """The loop turns and turns at the same virtual time."""
