"""The messages of the RFCs on transfer, messages, event state and dialogs are read as they stand there.

They are found in `../shared/fixtures/callflows`; nothing of them is copied here.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dialog.address import NameAddr
from dialog.event_package import EventType, SubscriptionState
from dialog.message import Request, Response
from dialog.parser import parse_datagram
from dialog.replaces import Replaces
from dialog.sipfrag import StatusFragment
from dialog.uri import SipUri

FOLDERS = ("cc-transfer-06", "dialog-package-06", "rfc3428", "rfc3515", "rfc3891", "rfc3903", "rfc4538")


def messages(fixtures: Path, folder: str) -> list[Request | Response]:
    """All of a folder. The documents leave lengths out, break lines, and err here and there."""
    found = []
    for path in sorted((fixtures / "callflows" / folder).glob("*.sip")):
        head, empty, body = path.read_bytes().partition(b"\r\n\r\n")
        head = re.sub(rb"\r\n(Content-Length|l) *:[^\r\n]*", b"", head)
        head = re.sub(rb"-\r\n[ \t]+", b"-", head).replace(b";;", b";")
        found.append(parse_datagram(head + empty + body))
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_message_is_read(fixtures: Path, folder: str) -> None:
    found = messages(fixtures, folder)
    assert found
    for message in found:
        assert message.call_id
        assert message.from_.uri
        assert message.to.uri


def test_the_headers_of_transfers(fixtures: Path) -> None:
    seen = set()
    for folder in FOLDERS:
        for message in messages(fixtures, folder):
            if not isinstance(message, Request):
                continue
            if "Refer-To" in message.headers and "(" not in (message.headers.get("Refer-To") or ""):
                target = NameAddr.parse(message.headers.get("Refer-To") or "", "Refer-To").uri
                assert str(target)
                if isinstance(target, SipUri) and target.headers:
                    names = {name.lower(): value for name, value in target.headers}
                    assert Replaces.parse(names["replaces"]).to_tag
                    seen.add("Replaces in Refer-To")
                seen.add("Refer-To")
            if "Replaces" in message.headers:
                assert Replaces.of(message) is not None
                seen.add("Replaces")
            if message.method in ("NOTIFY", "SUBSCRIBE", "PUBLISH"):
                assert EventType.of(message).package
                seen.add("Event")
            if message.method == "NOTIFY" and "(" not in (message.headers.get("Subscription-State") or ""):
                assert SubscriptionState.of(message).state in ("active", "pending", "terminated")
                if message.content_type == "message/sipfrag":
                    fragment = StatusFragment.parse(message.body)
                    assert fragment is not None
                    assert 100 <= fragment.status <= 699
                    seen.add("sipfrag")
    assert {"Refer-To", "Replaces", "Event", "sipfrag"} <= seen
