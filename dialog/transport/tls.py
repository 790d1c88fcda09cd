"""What TLS needs: contexts from settings, and sentences from what OpenSSL says went wrong.

A server's certificate is verified unless the application asked for the opposite: chain, dates, and the name,
which is the host of the URI, not what DNS made of it (RFC 5922 section 7.3).
"""

from __future__ import annotations

import ssl
from pathlib import Path

from dialog.errors import BadCertificate
from dialog.flow import Target
from dialog.tls_settings import TlsSettings
from dialog.uri import format_host

_NAME_MISMATCH = (62, 64)
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH."""


def client_context(settings: TlsSettings) -> ssl.SSLContext:
    """For connections that we make. BadCertificate when a file cannot be used."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    _set_up(context, settings)
    if settings.verify:
        _load_authorities(context, settings)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def server_context(settings: TlsSettings) -> ssl.SSLContext:
    """For connections that peers make. BadCertificate when a file cannot be used."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    _set_up(context, settings)
    if settings.verify_clients:
        if settings.authorities is None:
            context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
        _load_authorities(context, settings)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _set_up(context: ssl.SSLContext, settings: TlsSettings) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996
    certificate, key = settings.certificate, settings.key
    if certificate is None:
        return
    _check_readable(certificate, "certificate")
    if key is not None:
        _check_readable(key, "key")
    try:
        # An empty password makes OpenSSL fail where none would have it ask at the terminal.
        context.load_cert_chain(certificate, key, settings.key_password or "")
    except (ssl.SSLError, OSError) as error:
        raise BadCertificate(
            f"the certificate {certificate} with the key {key or certificate} cannot be used: "
            f"{_words(error)}; both are to be PEM files that belong together"
        ) from error


def _load_authorities(context: ssl.SSLContext, settings: TlsSettings) -> None:
    if settings.authorities is None:
        return
    _check_readable(settings.authorities, "file of certificate authorities")
    try:
        if Path(settings.authorities).is_dir():
            context.load_verify_locations(capath=settings.authorities)
        else:
            context.load_verify_locations(cafile=settings.authorities)
    except (ssl.SSLError, OSError) as error:
        raise BadCertificate(
            f"no certificate authority can be read from {settings.authorities}: {_words(error)}"
        ) from error


def _check_readable(path: str | Path, what: str) -> None:
    if not Path(path).exists():
        raise BadCertificate(f"there is no {what} {path}")


def verified_names(certificate: object) -> frozenset[str]:
    """Host names and addresses of a peer's certificate as `ssl` gives it: none if it was not verified."""
    subjects = certificate.get("subjectAltName", ()) if isinstance(certificate, dict) else ()
    return frozenset(str(value).lower() for kind, value in subjects if kind in ("DNS", "IP Address"))


def why_refused(error: BaseException, target: Target) -> str:
    """Why a connection to a target could not be made, for a person."""
    host, port = target.address
    where = f"{format_host(host)}:{port}"
    if target.name and target.name != host:
        where = f"{target.name} ({where})"
    if isinstance(error, ssl.SSLCertVerificationError):
        return _why_untrusted(error, target, where)
    if isinstance(error, ssl.SSLError):
        if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
            return f"what listens on {where} does not speak TLS"
        return f"the TLS handshake with {where} failed: {_words(error)}"
    if isinstance(error, ConnectionRefusedError):
        return f"connection refused: nobody accepts {target.transport} on {where}"
    if isinstance(error, ConnectionAbortedError) and "handshake" in str(error):
        return f"the TLS handshake with {where} took too long"
    if isinstance(error, TimeoutError):
        return f"{where} does not answer on {target.transport}"
    if isinstance(error, ConnectionResetError):
        return f"{where} broke the connection off while it was being made"
    return f"no {target.transport} connection to {where}: {_words(error)}"


def why_lost(error: BaseException | None) -> str:
    """Why a connection ended, for a person."""
    if error is None:
        return "the peer closed the connection"
    if isinstance(error, ssl.SSLError):
        if "CERTIFICATE_REQUIRED" in (error.reason or ""):
            return "the peer closed the connection: it asks for a client certificate"
        return f"the peer closed the TLS connection: {_words(error)}"
    return f"the connection broke: {_words(error)}"


def _why_untrusted(error: ssl.SSLCertVerificationError, target: Target, where: str) -> str:
    said = error.verify_message.rstrip(".")
    if error.verify_code in _NAME_MISMATCH:
        return f"the certificate of {where} is for another name: {said}"
    return f"the certificate of {where} is not trusted: {said}"


def _words(error: BaseException) -> str:
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__
