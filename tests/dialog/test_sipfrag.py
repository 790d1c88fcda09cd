"""Status lines in message/sipfrag."""

from __future__ import annotations

import pytest

from dialog.sipfrag import SIPFRAG, StatusFragment, is_sipfrag


@pytest.mark.parametrize(
    ("body", "fragment"),
    [
        (b"SIP/2.0 100 Trying", StatusFragment(100, "Trying")),
        (b"SIP/2.0 200 OK\r\n", StatusFragment(200, "OK")),
        (b"\r\nSIP/2.0 486 Besetzt\r\nTo: <sip:a@b>\r\n\r\n", StatusFragment(486, "Besetzt")),
        (b"sip/2.0 603", StatusFragment(603, "Decline")),
        (b"SIP/2.0 200 \xff", StatusFragment(200, "\ufffd")),
    ],
)
def test_a_status_line(body: bytes, fragment: StatusFragment) -> None:
    assert StatusFragment.parse(body) == fragment


@pytest.mark.parametrize("body", [b"", b"INVITE sip:a@b SIP/2.0\r\n", b"SIP/2.0 99 No", b"SIP/2.0 2000 OK"])
def test_no_status_line(body: bytes) -> None:
    assert StatusFragment.parse(body) is None


def test_written_and_read() -> None:
    fragment = StatusFragment(180, "Ringing")
    assert bytes(fragment) == b"SIP/2.0 180 Ringing\r\n"
    assert StatusFragment.parse(bytes(fragment)) == fragment
    assert is_sipfrag(SIPFRAG.partition(";")[0])
    assert not is_sipfrag("text/plain")
