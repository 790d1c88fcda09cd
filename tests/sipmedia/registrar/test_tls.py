"""The registrar by TLS, on real loopback sockets: the simulated network has none."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import pytest
import trustme

from dialog.tls_settings import TlsSettings
from sipmedia import Account, CallFailed, Softphone
from sipmedia.errors import TransportUnavailable
from sipmedia.registrar import Registrar
from tests.sipmedia.registrar.conftest import DOMAIN, USERS, answer


class Certificates:
    """An authority, and the registrar's certificate with its key in one file."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        issued = authority.issue_cert(DOMAIN, "127.0.0.1")
        self.authority, self.server = folder / "authority.pem", folder / "server.pem"
        authority.cert_pem.write_to_path(self.authority)
        issued.private_key_and_cert_chain_pem.write_to_path(self.server)


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


def phone_of(
    user: str, registrar: Registrar, certificates: Certificates, scheme: str = "sip", instance: str = ""
) -> Softphone:
    """A phone that has only TLS to its registrar."""
    host, port = registrar.address_of("tls") or ("", 0)
    account = Account(
        f"{scheme}:{user}@{DOMAIN}",
        password=USERS[user],
        registrar=f"{host}:{port}",
        transport="tls",
        register=True,
        instance=instance,
    )
    tls = TlsSettings(certificates.server, authorities=certificates.authority)
    return Softphone(account, bind="127.0.0.1:0", transports=("tls",), tls=tls)


async def registered(*phones: Softphone) -> None:
    await asyncio.gather(*(phone.registrations[0].registered() for phone in phones))


@pytest.mark.parametrize("with_gruu", [False, True], ids=["by contact", "by GRUU"])
@pytest.mark.parametrize("scheme", ["sip", "sips"])
def test_phones_that_have_only_tls_call_each_other(
    certificates: Certificates, scheme: str, with_gruu: bool
) -> None:
    """Every message of the call passes the registrar, encrypted on both legs; to a SIPS URI as such."""
    ours, theirs = (uuid.UUID(int=number).urn if with_gruu else "" for number in (1, 2))

    async def main() -> None:
        seen: set[tuple[str, str]] = set()
        registrar = Registrar(
            DOMAIN,
            USERS,
            bind="127.0.0.1:0",
            tls=TlsSettings(certificates.server),
            on_message=lambda message: seen.add((message.transport, message.data[:3].decode())),
        )
        async with registrar:
            assert registrar.address_of("udp") == registrar.address_of("tcp") == registrar.address
            async with (
                phone_of("alice", registrar, certificates, scheme, ours) as alice,
                phone_of("bob", registrar, certificates, scheme, theirs) as bob,
            ):
                bob.on("incoming_call", answer)
                await registered(alice, bob)
                assert alice.registrations[0].gruu.partition(":")[0] == (scheme if with_gruu else "")
                call = await alice.call(f"{scheme}:bob@{DOMAIN}")
                await bob.calls[0].hold()
                await call.hangup()
                await call.ended()
        assert {transport for transport, _ in seen} == {"TLS"}
        assert ("TLS", "BYE") in seen

    asyncio.run(asyncio.wait_for(main(), 30))


def test_who_registered_without_tls_is_not_called_by_a_sips_uri(certificates: Certificates) -> None:
    """RFC 5630 section 5.3: it would go on in clear."""
    why = "bob is registered as sip:bob@example.org, which a sips: call does not reach"

    async def main() -> None:
        refused: list[tuple[int, str]] = []
        async with Registrar(DOMAIN, USERS, bind="127.0.0.1:0", tls=TlsSettings(certificates.server)) as home:
            home.on("refused", lambda event: refused.append((event.status, event.why)))
            account = Account(
                f"sip:bob@{DOMAIN}", password=USERS["bob"], registrar="{}:{}".format(*home.address)
            )
            async with (
                phone_of("alice", home, certificates, "sips") as alice,
                Softphone(account, bind="127.0.0.1:0") as bob,
            ):
                await registered(alice)
                await bob.register()
                with pytest.raises(CallFailed) as failure:
                    await alice.call(f"sips:bob@{DOMAIN}")
                assert failure.value.status == 480
                assert failure.value.warning == f"SIPS Not Allowed: {why}"
        assert refused == [(480, why)]

    asyncio.run(asyncio.wait_for(main(), 30))


def test_without_a_certificate_it_does_not_listen_by_tls(tmp_path: Path) -> None:
    async def main() -> None:
        async with Registrar(DOMAIN, bind="127.0.0.1:0") as registrar:
            assert registrar.address_of("tls") is None
        with pytest.raises(TransportUnavailable, match=r"none\.pem"):
            await Registrar(DOMAIN, bind="127.0.0.1:0", tls=TlsSettings(tmp_path / "none.pem")).start()

    asyncio.run(asyncio.wait_for(main(), 30))


@pytest.mark.parametrize("algorithms", [(), ("SHA-1",), ("SHA-256", "MD4")])
def test_algorithms_that_nobody_has(algorithms: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"there are SHA-.*MD5"):
        Registrar(DOMAIN, USERS, algorithms=algorithms)
