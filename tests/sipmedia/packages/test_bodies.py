"""The bodies of event packages: read, written, and refused."""

from __future__ import annotations

import pytest

from sipmedia import BadBody
from sipmedia.packages import (
    DialogInfo,
    DialogState,
    MessageCounts,
    MessageSummary,
    Presence,
    dialog_info,
    message_summary,
    presence,
    read,
)
from sipmedia.packages.safe_xml import LIMIT

MAILBOX = b"""Messages-Waiting: yes\r
Message-Account: sip:alice@vmail.example.com\r
Voice-Message: 2/8 (0/2)\r
Fax-Message: 1/0\r
Odd-Message: 1/1\r
Text-Message: many\r
\r
To: <alice@atlanta.example.com>\r
Voice-Message: 9/9\r
"""

CALLS = b"""<?xml version="1.0"?>
<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="1" state="partial" entity="sip:alice@example.com">
  <dialog id="as7d900as8" call-id="a84b4c76e66710" local-tag="1928301774" remote-tag="456887766"
          direction="initiator">
    <state event="remote-bye">terminated</state>
    <local><identity display="Alice">sip:alice@example.com</identity></local>
    <remote><identity>sip:bob@example.org</identity><target uri="sip:bob@192.0.2.4"/></remote>
  </dialog>
  <dialog id="2" direction="recipient"><state> Early </state></dialog>
</dialog-info>"""  # noqa: E501

THERE = """<?xml version="1.0" encoding="UTF-8"?>
<impp:presence xmlns:impp="urn:ietf:params:xml:ns:pidf" entity="pres:someone@example.com">
  <impp:tuple id="a"><impp:status><impp:basic>closed</impp:basic></impp:status></impp:tuple>
  <impp:tuple id="b"><impp:status><impp:basic>open</impp:basic></impp:status>
    <impp:contact priority="0.8">tel:+09012345678</impp:contact></impp:tuple>
  <impp:note>Unterwegs für heute</impp:note>
</impp:presence>""".encode()


def test_a_mailbox() -> None:
    summary = MessageSummary.parse(MAILBOX)
    assert summary.waiting
    assert summary.account == "sip:alice@vmail.example.com"
    assert summary.voice == MessageCounts(2, 8, 0, 2)
    assert summary.counts["fax"] == MessageCounts(1, 0)
    assert set(summary.counts) == {"voice", "fax"}
    assert MessageSummary.parse(bytes(summary)) == summary


def test_an_empty_mailbox() -> None:
    summary = MessageSummary.parse(b"messages-waiting: NO")
    assert (summary.waiting, summary.voice, summary.account) == (False, MessageCounts(0, 0), None)
    assert bytes(summary) == b"Messages-Waiting: no\r\n"


def test_calls() -> None:
    info = DialogInfo.parse(CALLS)
    assert (info.entity, info.version, info.full) == ("sip:alice@example.com", 1, False)
    first, second = info.dialogs
    assert (first.state, first.event, first.direction) == ("terminated", "remote-bye", "initiator")
    assert (first.call_id, first.local_tag, first.remote_tag) == ("a84b4c76e66710", "1928301774", "456887766")
    assert (first.local, first.remote) == ("sip:alice@example.com", "sip:bob@example.org")
    assert second == DialogState("2", "early", "recipient")
    assert info.busy
    assert info.ringing
    assert DialogInfo.parse(bytes(info)) == info


def test_no_calls_no_lamp() -> None:
    info = DialogInfo("sip:a@b", 7, True, ())
    assert not info.busy
    assert not info.ringing
    assert DialogInfo.parse(bytes(info)) == info


def test_somebody_is_there() -> None:
    seen = Presence.parse(THERE)
    assert seen == Presence("pres:someone@example.com", True, "Unterwegs für heute", "tel:+09012345678")
    assert Presence.parse(bytes(seen)) == seen
    away = Presence("sip:a@b", False)
    assert Presence.parse(bytes(away)) == away
    assert not Presence.parse(b"<presence entity='sip:a@b'/>").open


def test_read_by_type() -> None:
    assert isinstance(read(message_summary.CONTENT_TYPE, MAILBOX), MessageSummary)
    assert isinstance(read(dialog_info.CONTENT_TYPE, CALLS), DialogInfo)
    assert isinstance(read(presence.CONTENT_TYPE, THERE), Presence)
    assert read("text/plain", b"hello") is None


BOMB = (
    '<?xml version="1.0" encoding="{0}"?><!DOCTYPE p [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + "]><presence>&i;</presence>"
)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"<presence>",
        b"<presence/><presence/>",
        b"<other/>",
        b"<presence>\xff</presence>",
        b'<?xml version="1.0" encoding="nonsense"?><presence/>',
        BOMB.format("utf-8").encode(),
        BOMB.format("utf-16").encode("utf-16"),
        b'<!DOCTYPE p SYSTEM "http://example.com/evil.dtd"><presence/>',
        b'<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]><presence><note>&x;</note></presence>',
        b"<presence>" + b"<a>" * 100 + b"</a>" * 100 + b"</presence>",
        b"<presence>" + b" " * LIMIT + b"</presence>",
    ],
)
def test_presence_that_is_none(body: bytes) -> None:
    with pytest.raises(BadBody):
        Presence.parse(body)


@pytest.mark.parametrize(
    "body",
    [
        b"<presence/>",
        b"<dialog-info/>",
        b"<dialog-info version='one'/>",
        b"<dialog-info version='1'><dialog id='1'/></dialog-info>",
        b"<dialog-info version='1'><dialog id='1'><state>asleep</state></dialog></dialog-info>",
    ],
)
def test_calls_that_are_none(body: bytes) -> None:
    with pytest.raises(BadBody):
        DialogInfo.parse(body)


@pytest.mark.parametrize("body", [b"", b"Voice-Message: 1/1\r\n", b"\xff\xfe"])
def test_mailboxes_that_say_nothing(body: bytes) -> None:
    with pytest.raises(BadBody):
        MessageSummary.parse(body)


def test_changes_of_calls_make_a_whole() -> None:
    first, second = DialogState("1", "early"), DialogState("2", "confirmed")
    whole = DialogInfo("sip:a@b", 4, True, (first, second))
    assert whole.after(None) == whole
    over = DialogState("1", "terminated")
    change = DialogInfo("sip:a@b", 5, False, (over, DialogState("3", "trying")))
    changed = change.after(whole)
    assert changed == DialogInfo("sip:a@b", 5, True, (over, second, DialogState("3", "trying")))
    last = DialogInfo("sip:a@b", 6, False, ()).after(changed)
    assert last is not None
    assert [dialog.id for dialog in last.dialogs] == ["2", "3"]  # what was over is told once
    assert change.after(None) is None
    assert DialogInfo("sip:a@b", 7, False, ()).after(changed) is None
