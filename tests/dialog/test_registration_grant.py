"""dialog/registration_grant.py: what a 2xx to REGISTER says."""

import pytest

from dialog.address import NameAddr
from dialog.message import Response
from dialog.registration_grant import Grant
from dialog.registration_settings import RegistrationSettings
from dialog.uri import SipUri

CONTACT = SipUri("alice", "192.0.2.1", 5060)
INSTANCE = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
SETTINGS = RegistrationSettings(NameAddr.parse("<sip:alice@a.example>", "To"), SipUri(None, "a.example"))
OURS = "<sip:alice@192.0.2.1:5060>"


def grant(*fields: tuple[str, str], settings: RegistrationSettings = SETTINGS) -> Grant:
    return Grant.read(Response(200, "OK", list(fields)), settings, CONTACT, 3600)


@pytest.mark.parametrize(
    ("fields", "expires"),
    [
        ([("Contact", f"{OURS};expires=60"), ("Expires", "90")], 60),
        ([("Contact", OURS), ("Expires", "90")], 90),
        ([("Contact", f"{OURS};expires=soon"), ("Expires", "90")], 90),
        ([("Contact", "<sip:alice@203.0.113.9>;expires=60, <sip:x@203.0.113.9>;expires=90")], 60),
        ([("Contact", "<sip:alice@203.0.113.9>;expires=0")], 3600),
        ([("Contact", "<sip:alice@203.0.113.9>;expires=60"), ("Expires", "90")], 90),
        ([("Contact", f'{OURS};expires="60"')], 60),
        ([("Contact", f"<sip:no body@x y>, {OURS};expires=60")], 60),
        ([("Contact", f"{OURS};expires=7200")], 3600),
        ([], 3600),
    ],
    ids=[
        *(
            "ours",
            "of the response",
            "unreadable",
            "rewritten",
            "just gone",
            "of others",
            "quoted",
            "beside nonsense",
        ),
        *("more than asked", "not said"),
    ],
)
def test_how_long_it_lasts(fields: list[tuple[str, str]], expires: int) -> None:
    assert grant(*fields).expires == expires


def test_no_binding_is_no_grant() -> None:
    others = "<sip:alice@203.0.113.9>;expires=60"
    got = grant(("Contact", f"{OURS};expires=0, {others}"), ("Service-Route", "<sip:edge;lr>"))
    assert got == Grant(bindings=got.bindings)
    assert len(got.bindings) == 2


def test_a_binding_of_our_instance_is_ours_wherever_it_points() -> None:
    settings = RegistrationSettings(
        SETTINGS.address_of_record, SETTINGS.registrar, instance=INSTANCE, reg_id=1
    )
    params = f';+sip.instance="<{INSTANCE}>";pub-gruu="sip:alice@a.example;gr=1";expires=60'
    got = grant(
        ("Contact", f"<sip:x@203.0.113.9>{params}"), ("Require", "outbound"), ("Flow-Timer", "30"),
        settings=settings,
    )  # fmt: skip
    assert (got.expires, got.public_gruu, got.outbound, got.flow_timer) == (
        60, "sip:alice@a.example;gr=1", True, 30,
    )  # fmt: skip
