"""Which certificates TLS shows and trusts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Certificates for TLS, all in PEM files. All have defaults."""

    certificate: str | Path | None = None
    """Ours, with those between it and its authority: shown to peers that connect, and to servers that ask
    for one. Without it nobody can connect to us by TLS."""
    key: str | Path | None = None
    """Its private key; None: it is in the same file."""
    key_password: str | None = field(default=None, repr=False)
    """What the key is encrypted with."""
    authorities: str | Path | None = None
    """A file or directory of the authorities that peers' certificates may come from; None: the system's."""
    verify: bool = True
    """Whether the certificates of servers are verified. Without that anybody on the way can read along."""
    verify_clients: bool = False
    """Whether those who connect must show a certificate from one of the authorities."""
