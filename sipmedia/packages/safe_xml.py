"""XML from strangers: no document type, so no entities that grow, and a bound on the size."""

from __future__ import annotations

import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from sipmedia.errors import BadBody

LIMIT = 256 * 1024
"""Bytes; a NOTIFY over UDP has at most a quarter of it."""

DEPTH = 32
"""Elements inside each other; what is read here needs six."""

_SPACE = re.compile(r"\s+")


class _Plain(ElementTree.TreeBuilder):
    """Builds the tree, and stops at a document type: all that is declared there is of no use, or harmful."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        """Called before anything in the declaration is looked at."""
        raise BadBody("a document type is not allowed here")

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        self._depth += 1
        if self._depth > DEPTH:
            raise BadBody("elements are nested too deeply")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(tag)


def parse(body: bytes) -> Element:
    """The root element. :raises BadBody: for what is no XML, is too large, or declares a document type."""
    if len(body) > LIMIT:
        raise BadBody(f"a body of {len(body)} bytes is too large to be read")
    parser = ElementTree.XMLParser(target=_Plain())
    try:
        parser.feed(body)
        root: Element = parser.close()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise BadBody(f"this is no XML: {error}") from error
    return root


def local_name(element: Element) -> str:
    """The tag without its namespace: peers disagree about those."""
    return element.tag.rpartition("}")[2]


def children(element: Element, name: str) -> list[Element]:
    """Those with this name, in any namespace."""
    return [child for child in element if local_name(child) == name]


def child(element: Element, *path: str) -> Element | None:
    """The first at the end of a path of names."""
    found: Element | None = element
    for name in path:
        found = next(iter(children(found, name)), None) if found is not None else None
    return found


def text(element: Element | None) -> str:
    """The text in it, white space in order; "" when there is none."""
    return "" if element is None else _SPACE.sub(" ", element.text or "").strip()
