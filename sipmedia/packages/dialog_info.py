"""dialog (RFC 4235): the calls of somebody else, for busy lamps and pick-up; and ours for others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from sipmedia.errors import BadBody
from sipmedia.packages.safe_xml import child, children, local_name, parse, text

CONTENT_TYPE = "application/dialog-info+xml"
NAMESPACE = "urn:ietf:params:xml:ns:dialog-info"

State = Literal["trying", "proceeding", "early", "confirmed", "terminated"]
Direction = Literal["initiator", "recipient"]
_STATES = ("trying", "proceeding", "early", "confirmed", "terminated")


@dataclass(frozen=True, slots=True)
class DialogState:
    """One call, as the watched party has it. ``event`` says why it ended ("cancelled", "rejected",
    "replaced", "local-bye", "remote-bye", "error", "timeout"); tags are "" before they are known."""

    id: str
    state: State
    direction: Direction | None = None
    call_id: str = ""
    local_tag: str = ""
    remote_tag: str = ""
    local: str = ""
    remote: str = ""
    event: str = ""


@dataclass(frozen=True, slots=True)
class DialogInfo:
    """The calls of ``entity``: all of them if ``full``, else those that changed since ``version`` - 1."""

    entity: str
    version: int
    full: bool
    dialogs: tuple[DialogState, ...]

    @property
    def busy(self) -> bool:
        """Whether some call of these is up or being set up: the lamp is lit."""
        return any(dialog.state != "terminated" for dialog in self.dialogs)

    @property
    def ringing(self) -> bool:
        """Whether a call comes in and rings: the lamp blinks."""
        return any(d.state == "early" and d.direction == "recipient" for d in self.dialogs)

    def after(self, before: DialogInfo | None) -> DialogInfo | None:
        """The whole state once this document has come after ``before``; calls that are over are told once.

        ``None`` when one between them is missing: then the state has to be asked for anew (section 4.3).
        """
        if self.full:
            return self
        if before is None or self.version != before.version + 1:
            return None
        calls = {dialog.id: dialog for dialog in before.dialogs if dialog.state != "terminated"}
        calls.update((dialog.id, dialog) for dialog in self.dialogs)
        return DialogInfo(self.entity, self.version, True, tuple(calls.values()))

    @classmethod
    def parse(cls, body: bytes) -> DialogInfo:
        """Read a document. :raises BadBody:"""
        root = parse(body)
        if local_name(root) != "dialog-info":
            raise BadBody(f"a dialog-info document was expected, not {local_name(root)!r}")
        version = root.get("version", "")
        if not (version.isascii() and version.isdigit() and len(version) <= 10):
            raise BadBody("a dialog-info document must have a version")
        dialogs = tuple(_read(element) for element in children(root, "dialog"))
        return cls(root.get("entity", ""), int(version), root.get("state", "full") != "partial", dialogs)

    def __bytes__(self) -> bytes:
        state = "full" if self.full else "partial"
        root = Element(
            "dialog-info", xmlns=NAMESPACE, version=str(self.version), state=state, entity=self.entity
        )
        for dialog in self.dialogs:
            _write(root, dialog)
        data: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
        return data


def _read(element: Element) -> DialogState:
    state_element = child(element, "state")
    state = text(state_element).lower()
    if state not in _STATES:
        raise BadBody(f"a dialog cannot be in state {state!r}")
    direction = element.get("direction")
    return DialogState(
        element.get("id", ""),
        cast("State", state),
        cast("Direction", direction) if direction in ("initiator", "recipient") else None,
        element.get("call-id", ""),
        element.get("local-tag", ""),
        element.get("remote-tag", ""),
        text(child(element, "local", "identity")),
        text(child(element, "remote", "identity")),
        "" if state_element is None else state_element.get("event", ""),
    )


def _write(root: Element, dialog: DialogState) -> None:
    attributes = {
        "id": dialog.id,
        "call-id": dialog.call_id,
        "local-tag": dialog.local_tag,
        "remote-tag": dialog.remote_tag,
        "direction": dialog.direction or "",
    }
    element = ElementTree.SubElement(root, "dialog", {k: v for k, v in attributes.items() if v})
    state = ElementTree.SubElement(element, "state", {"event": dialog.event} if dialog.event else {})
    state.text = dialog.state
    for name, uri in (("local", dialog.local), ("remote", dialog.remote)):
        if uri:
            party = ElementTree.SubElement(element, name)
            ElementTree.SubElement(party, "identity").text = uri
            ElementTree.SubElement(party, "target", {"uri": uri})
