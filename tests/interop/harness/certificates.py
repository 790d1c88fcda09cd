"""A certificate authority made for the test run: nobody else trusts it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import trustme


class Authority:
    """A certificate authority: `certificate` is what clients are to trust."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.certificate = folder / "authority.pem"
        self._authority = trustme.CA()
        self._authority.cert_pem.write_to_path(self.certificate)

    def issue(self, folder: Path, name: str, hosts: Sequence[str], addresses: Sequence[str] = ()) -> Path:
        """Write `name.pem` and `name.key` for the `hosts` and IP `addresses`; gives the former's path."""
        folder.mkdir(parents=True, exist_ok=True)
        issued = self._authority.issue_cert(*hosts, *addresses)
        certificate = folder / f"{name}.pem"
        certificate.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
        return certificate
