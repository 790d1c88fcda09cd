"""What went over the network, with virtual times: for pcapng files, and for finding out afterwards.

What a host received is recorded at the time and with the addresses it had there, on the interface
of that host: so the stream that tshark analyses is the one our receiver counted. `points="sent"` records at
the senders instead (lost datagrams too, with the reason as comment), `"both"` at both ends.

A datagram's arrival is known when it is sent, so records come out of order of time; they are sorted in
batches and spooled (to a temporary file when there are many).
"""

import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Literal, cast

from sipmedia.simulation.clock import START, STARTED_AT
from sipmedia.simulation.impairments import Datagram
from sipmedia.trace.pcapng import PcapngWriter

Address = tuple[str, int]
Points = Literal["received", "sent", "both", "none"]
_Record = tuple[float, int, bool, str, Address, Address, bytes, str]

_BATCH = 4096
_MEMORY = 16 << 20
_COPY = 1 << 20
MAX_DROPS = 1000
"""How many dropped datagrams are kept; all are counted."""


class Capture:
    """The record of one run."""

    def __init__(self) -> None:
        self.points: Points = "received"
        """Where datagrams are recorded; set it before the run."""
        self.comment = ""
        self.datagrams = 0
        """How many were recorded."""
        self.drops: list[tuple[Datagram, str]] = []
        """The first datagrams that did not arrive, and why."""
        self.drop_counts: dict[str, int] = {}
        """How many did not arrive, by reason."""
        self.on_received: Callable[[str, Datagram], None] | None = None
        """Called with the host and each datagram it receives, when it is sent."""
        self._records: list[_Record] = []
        self._number = 0
        self._spool: BinaryIO | None = None
        self._writer: PcapngWriter | None = None

    def received(self, arrival: float, host: str, source: Address, destination: Address, data: bytes) -> None:
        """A datagram reaches a host at this (future) time."""
        if self.on_received is not None:
            self.on_received(host, Datagram(arrival, source, destination, data))
        if self.points == "received" or self.points == "both":
            self._number += 1
            self._records.append((arrival, self._number, True, host, source, destination, data, ""))

    def sent(self, now: float, host: str, source: Address, destination: Address, data: bytes) -> None:
        """A datagram leaves a host."""
        if self.points == "sent" or self.points == "both":
            self._number += 1
            self._records.append((now, self._number, False, host, source, destination, data, ""))

    def dropped(self, datagram: Datagram, why: str) -> None:
        """A datagram does not arrive."""
        self.drop_counts[why] = self.drop_counts.get(why, 0) + 1
        if len(self.drops) < MAX_DROPS:
            self.drops.append((datagram, why))
        # The record of its sending is the last one with these bytes, if it was lost on the first link.
        if self._records and not (last := self._records[-1])[2] and last[6] is datagram.data:
            self._records[-1] = (*last[:7], f"dropped: {why}")

    def flush(self, now: float) -> None:
        """Write out what can not be overtaken any more; cheap while little is waiting."""
        if len(self._records) >= _BATCH:
            self._write(now)

    def save(self, file: str | Path | BinaryIO) -> None:
        """Write all that is recorded so far, what is still on its way included, as a pcapng file."""
        self._write(float("inf"))
        spool = self._spooled()
        end = spool.tell()
        spool.seek(0)
        try:
            if isinstance(file, (str, Path)):
                with open(file, "wb") as opened:
                    self._copy(spool, opened)
            else:
                self._copy(spool, file)
        finally:
            spool.seek(end)

    def close(self) -> None:
        """Forget the record; `save` must have been called before."""
        if self._spool is not None:
            self._spool.close()
            self._spool = self._writer = None
        self._records.clear()

    def _write(self, now: float) -> None:
        records = self._records
        records.sort(key=lambda record: record[:2])
        count = len(records)
        while count and records[count - 1][0] > now:
            count -= 1
        self._spooled()
        writer = self._writer
        assert writer is not None
        for time, _, inbound, host, source, destination, data, comment in records[:count]:
            writer.write(time - START, host, source, destination, data, inbound=inbound, comment=comment)
        self.datagrams += count
        del records[:count]

    def _spooled(self) -> BinaryIO:
        if self._spool is None:
            spool = tempfile.SpooledTemporaryFile(_MEMORY)  # noqa: SIM115
            self._spool = cast(BinaryIO, spool)
            weakref.finalize(self, spool.close)  # who forgets a capture need not close it
            self._writer = PcapngWriter(self._spool, started_at=STARTED_AT, comment=self.comment)
        return self._spool

    @staticmethod
    def _copy(source: BinaryIO, target: BinaryIO) -> None:
        while chunk := source.read(_COPY):
            target.write(chunk)
