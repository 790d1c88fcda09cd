"""What the command line asks of an example beside its number; the command fills it in."""

from dataclasses import dataclass
from pathlib import Path


@dataclass
class Options:
    """Of this run; None is the example's own default. An example says by `takes` which ones it knows."""

    seed: int | None = None
    out: Path | None = None


options = Options()
