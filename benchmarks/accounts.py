"""What it costs to be registered: `python -m benchmarks.accounts [accounts]`.

One phone with many accounts, each with its password, and our registrar, both in processes of their own.
Measured is the phone's CPU once all are registered: at rest, and with every account renewed twice a minute,
a hundred times as often as registrars ask for.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

ACCOUNTS = 500
LIMIT_PERCENT = 2.0
"""Issue 5: a phone with 500 accounts takes less of a core when idle."""
AN_HOUR, A_MINUTE = 3600, 60
"""Seconds to register for; a minute is renewed after about half of it."""


@dataclass(frozen=True)
class Cost:
    """What one phone took: per cent of a core in `seconds`, in which so many accounts were `renewed`."""

    accounts: int
    expires: int
    percent: float
    seconds: float
    renewed: int
    registered_in_s: float

    @property
    def ms_per_renewal(self) -> float | None:
        """CPU of one renewal and all around it; None when there was none."""
        return 10 * self.percent * self.seconds / self.renewed if self.renewed else None


def measure(accounts: int = ACCOUNTS, expires: int = AN_HOUR, seconds: float = 20.0) -> Cost:
    """Start both, wait until all accounts are registered, and see what that costs."""
    with _registrar(accounts) as address:
        arguments = [address, str(accounts), str(expires), str(seconds)]
        command = [sys.executable, "-m", "benchmarks.accounts", "--phone", *arguments]
        output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 180)
    return Cost(**json.loads(output.stdout))


@contextmanager
def _registrar(accounts: int) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.accounts", "--registrar", str(accounts)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


async def be_the_registrar(accounts: int) -> None:
    """Serve until killed."""
    from sipmedia.registrar import Registrar

    users = {f"user{number}": "secret" for number in range(accounts)}
    async with Registrar("bench.example", users, bind="127.0.0.1:0") as registrar:
        print("{}:{}".format(*registrar.address), flush=True)
        await asyncio.Event().wait()


async def be_the_phone(server: str, accounts: int, expires: int, seconds: float) -> Cost:
    """Register all and measure this process."""
    from sipmedia import Account, Softphone

    identities = [
        Account(f"sip:user{number}@bench.example", password="secret", registrar=server, expires=expires)
        for number in range(accounts)
    ]
    renewed = 0

    def count(event: object) -> None:
        nonlocal renewed
        renewed += 1

    async with Softphone(*identities, bind="127.0.0.1:0") as phone:
        began = time.monotonic()
        await asyncio.gather(*(phone.register(account) for account in identities))
        registered_in = time.monotonic() - began
        phone.on("registered", count)
        cpu, clock = time.process_time(), time.monotonic()
        await asyncio.sleep(seconds)
        used, elapsed = time.process_time() - cpu, time.monotonic() - clock
    return Cost(accounts, expires, 100 * used / elapsed, elapsed, renewed, registered_in)


def main() -> None:
    if sys.argv[1:2] == ["--registrar"]:
        asyncio.run(be_the_registrar(int(sys.argv[2])))
        return
    if sys.argv[1:2] == ["--phone"]:
        server, accounts, expires, seconds = sys.argv[2:]
        cost = asyncio.run(be_the_phone(server, int(accounts), int(expires), float(seconds)))
        print(json.dumps(asdict(cost)))
        return
    accounts_wanted = int(sys.argv[1]) if len(sys.argv) > 1 else ACCOUNTS
    for wanted, for_s in ((AN_HOUR, 20.0), (A_MINUTE, 60.0)):
        cost = measure(accounts_wanted, wanted, for_s)
        each = "" if cost.ms_per_renewal is None else f", {cost.ms_per_renewal:.2f} ms each"
        print(
            f"{cost.accounts} accounts for {cost.expires} s: {cost.percent:.2f} % of a core"
            f" ({cost.renewed} renewals in {cost.seconds:.0f} s{each}; all in {cost.registered_in_s:.1f} s)"
        )


if __name__ == "__main__":
    main()
