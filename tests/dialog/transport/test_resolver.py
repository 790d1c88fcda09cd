"""`dialog.transport.names` and `.resolver`: names asked of a name server of our own, and of the system."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any, Literal, cast

import dns.asyncresolver
import dns.message
import dns.rcode
import dns.rrset
import pytest

from dialog.dns import Answer, Naptr, Query, Srv
from dialog.transport import names, resolver
from dialog.transport.names import SystemResolver, TableResolver, is_local_name
from dialog.transport.resolver import NameServers

ZONE = [
    ("example.test.", 300, "NAPTR", '10 20 "s" "SIP+D2T" "" _sip._tcp.example.test.'),
    ("_sip._tcp.example.test.", 120, "SRV", "1 2 5070 pbx.example.test."),
    ("pbx.example.test.", 60, "A", "192.0.2.7"),
    ("pbx.example.test.", 30, "AAAA", "2001:db8::7"),
]


class NameServer(asyncio.DatagramProtocol):
    """Answers from ZONE; silent about names that begin with `silent`, broken about `broken`."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        query = dns.message.from_wire(data)
        name, kind = query.question[0].name.to_text(), query.question[0].rdtype
        if name.startswith("silent"):
            return
        response = dns.message.make_response(query)
        found = [entry for entry in ZONE if entry[0] == name]
        if name.startswith("broken"):
            response.set_rcode(dns.rcode.SERVFAIL)
        elif not found:
            response.set_rcode(dns.rcode.NXDOMAIN)
        for owner, ttl, kind_name, text in found:
            record = dns.rrset.from_text(owner, ttl, "IN", kind_name, text)
            if record.rdtype == kind:
                response.answer.append(record)
        self.transport.sendto(response.to_wire(), addr)


def ask(queries: list[Query], family: socket.AddressFamily = socket.AF_UNSPEC) -> list[Answer]:
    async def run() -> list[Answer]:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
        system = SystemResolver(family)
        servers = system._servers = NameServers()
        own = dns.asyncresolver.Resolver(configure=False)
        own.nameservers = ["127.0.0.1"]
        own.port = transport.get_extra_info("sockname")[1]
        servers._resolver = own
        try:
            return [await system.resolve(query) for query in queries]
        finally:
            transport.close()
            await asyncio.sleep(0)

    return asyncio.run(run())


def test_every_kind_of_record() -> None:
    naptr, srv, address = ask(
        [
            Query("NAPTR", "example.test"),
            Query("SRV", "_sip._tcp.example.test"),
            Query("ADDRESS", "pbx.example.test"),
        ]
    )
    assert naptr == Answer((Naptr(10, 20, "s", "SIP+D2T", "_sip._tcp.example.test."),), 300.0)
    assert srv == Answer((Srv(1, 2, 5070, "pbx.example.test."),), 120.0)
    assert address == Answer(("192.0.2.7", "2001:db8::7"), 30.0)


def test_only_addresses_that_can_be_reached() -> None:
    query = Query("ADDRESS", "pbx.example.test")
    assert ask([query], socket.AF_INET)[0].addresses == ("192.0.2.7",)
    assert ask([query], socket.AF_INET6)[0].addresses == ("2001:db8::7",)


def test_what_is_not_there_and_what_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "LOOKUP_TIMEOUT_S", 0.3)
    nobody, no_srv, silent, broken = ask(
        [
            Query("ADDRESS", "nobody.example.test"),
            Query("SRV", "pbx.example.test"),
            Query("SRV", "silent.example.test"),
            Query("SRV", "broken.example.test"),
        ]
    )
    assert (nobody.records, nobody.error) == ((), "there is no host nobody.example.test")
    assert (no_srv.records, no_srv.error) == ((), "")
    assert (silent.ttl, silent.error) == (
        0.0,
        "the name servers do not answer (asked for silent.example.test)",
    )
    assert broken.ttl == 0.0
    assert "no answer for broken.example.test" in broken.error


LOCAL: list[tuple[Literal["ADDRESS", "SRV"], str]] = [
    ("ADDRESS", "localhost"),
    ("ADDRESS", "nobody.invalid"),
    ("SRV", "_sip._udp.localhost"),
]


def test_names_that_are_no_business_of_name_servers() -> None:
    for name in ("localhost", "pbx", "printer.local", "nobody.invalid", "a.localhost", "LOCALHOST."):
        assert is_local_name(name)
    assert not is_local_name("example.com")
    local, none, service = ask(
        [
            Query("ADDRESS", "localhost"),
            Query("ADDRESS", "nobody.invalid"),
            Query("SRV", "_sip._udp.localhost"),
        ],
        socket.AF_INET,
    )
    assert local.addresses == ("127.0.0.1",)
    assert (none.addresses, none.error) == ((), "there is no host nobody.invalid")
    assert service == Answer()


def test_the_hosts_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost # and\n192.0.2.9\tpbx.example.com PBX2.example.com\n", "utf-8")
    monkeypatch.setattr(names, "_hosts_path", lambda: hosts)
    assert is_local_name("pbx.example.com")
    assert is_local_name("pbx2.example.com")
    hosts.unlink()
    assert not is_local_name("pbx.example.com")


def test_a_table() -> None:
    table = TableResolver({Query("ADDRESS", "PBX.example.com."): ["192.0.2.1"]})
    query = Query("ADDRESS", "pbx.example.com")
    assert asyncio.run(table.resolve(query)).addresses == ("192.0.2.1",)
    missing = asyncio.run(table.resolve(Query("ADDRESS", "nobody.example.com")))
    assert missing.error == "there is no host nobody.example.com"
    assert asyncio.run(table.resolve(Query("SRV", "_sip._udp.example.com"))) == Answer()
    assert len(table.asked) == 3
