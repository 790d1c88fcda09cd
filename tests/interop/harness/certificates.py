"""A certificate authority made for the test run: nobody else trusts it, and its keys die with the folder."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

PROGRAM = "openssl"
_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


class Authority:
    """A certificate authority: `certificate` is what clients are to trust."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.certificate = folder / "authority.pem"
        self._key = folder / "authority.key"
        self._run(
            "req", "-x509", *_KEY, "-days", "2", "-subj", "/CN=Authority of a test run",
            "-keyout", self._key, "-out", self.certificate,
        )  # fmt: skip

    def issue(self, folder: Path, name: str, hosts: Sequence[str], addresses: Sequence[str] = ()) -> Path:
        """Write `name.pem` and `name.key` for the `hosts` and IP `addresses`; gives the former's path."""
        folder.mkdir(parents=True, exist_ok=True)
        certificate, key, request = (folder / f"{name}.{kind}" for kind in ("pem", "key", "csr"))
        subjects = [f"DNS:{host}" for host in hosts] + [f"IP:{address}" for address in addresses]
        extensions = folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={','.join(subjects)}\n")
        self._run("req", *_KEY, "-subj", f"/CN={hosts[0]}", "-keyout", key, "-out", request)
        self._run(
            "x509", "-req", "-days", "2", "-in", request, "-CA", self.certificate, "-CAkey", self._key,
            "-CAcreateserial", "-extfile", extensions, "-out", certificate,
        )  # fmt: skip
        return certificate

    @staticmethod
    def _run(*arguments: str | Path) -> None:
        done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
