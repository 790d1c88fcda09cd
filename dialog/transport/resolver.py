"""Asking name servers, by dnspython: loaded when the first name is looked up."""

from __future__ import annotations

import dns.asyncresolver
import dns.exception
import dns.rdata
import dns.rdtypes.IN.NAPTR
import dns.rdtypes.IN.SRV
import dns.resolver

from dialog.dns import Answer, Naptr, Srv

LOOKUP_TIMEOUT_S = 5.0
"""How long one question may take, all name servers and repetitions together."""


class NameServers:
    """Those that the system is set up to use."""

    def __init__(self) -> None:
        self._resolver: dns.asyncresolver.Resolver | None = None

    async def ask(self, name: str, kind: str) -> Answer:
        """The records of one kind ("A", "AAAA", "SRV", "NAPTR"). Raises nothing."""
        try:
            if self._resolver is None:
                self._resolver = dns.asyncresolver.Resolver()
            found = await self._resolver.resolve(
                name, kind, lifetime=LOOKUP_TIMEOUT_S, search=False, raise_on_no_answer=False
            )
        except dns.resolver.NXDOMAIN:
            return Answer(error=f"there is no host {name}")
        except dns.resolver.LifetimeTimeout:
            return Answer(ttl=0.0, error=f"the name servers do not answer (asked for {name})")
        except (dns.exception.DNSException, OSError) as error:
            said = str(error) or type(error).__name__
            return Answer(ttl=0.0, error=f"the name servers have no answer for {name}: {said}")
        if found.rrset is None:
            return Answer()
        return Answer(tuple(_record(record) for record in found.rrset), float(found.rrset.ttl))


def _record(record: dns.rdata.Rdata) -> Naptr | Srv | str:
    if isinstance(record, dns.rdtypes.IN.SRV.SRV):
        return Srv(record.priority, record.weight, record.port, record.target.to_text())
    if isinstance(record, dns.rdtypes.IN.NAPTR.NAPTR):
        return Naptr(
            record.order,
            record.preference,
            record.flags.decode("ascii", "replace"),
            record.service.decode("ascii", "replace"),
            record.replacement.to_text(),
        )
    return record.to_text()
