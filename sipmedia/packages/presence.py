"""presence (RFC 3856): whether somebody is there, as a PIDF document (RFC 3863) says; the least of it."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from sipmedia.errors import BadBody
from sipmedia.packages.safe_xml import child, children, local_name, parse, text

CONTENT_TYPE = "application/pidf+xml"
NAMESPACE = "urn:ietf:params:xml:ns:pidf"


@dataclass(frozen=True, slots=True)
class Presence:
    """``entity`` is there (``open``) or not; ``note`` is words for people, ``contact`` a URI to reach it at.

    Of several tuples in a document it is open if one of them is.
    """

    entity: str
    open: bool
    note: str = ""
    contact: str = ""

    @classmethod
    def parse(cls, body: bytes) -> Presence:
        """Read a document. :raises BadBody:"""
        root = parse(body)
        if local_name(root) != "presence":
            raise BadBody(f"a presence document was expected, not {local_name(root)!r}")
        tuples = children(root, "tuple")
        opened = [t for t in tuples if text(child(t, "status", "basic")).lower() == "open"]
        chosen = next(iter(opened or tuples), None)
        note = text(child(root, "note"))
        contact = ""
        if chosen is not None:
            note = text(child(chosen, "note")) or note
            contact = text(child(chosen, "contact"))
        return cls(root.get("entity", ""), bool(opened), note, contact)

    def __bytes__(self) -> bytes:
        root = Element("presence", xmlns=NAMESPACE, entity=self.entity)
        element = ElementTree.SubElement(root, "tuple", id="t1")
        status = ElementTree.SubElement(element, "status")
        ElementTree.SubElement(status, "basic").text = "open" if self.open else "closed"
        if self.contact:
            ElementTree.SubElement(element, "contact").text = self.contact
        if self.note:
            ElementTree.SubElement(element, "note").text = self.note
        data: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
        return data
