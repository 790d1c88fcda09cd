"""What the examples share: the registry behind the menu, the two languages, and a few lines of printing."""

from examples.kit.console import address_text, rule, say, short, show_sdp, wait_until
from examples.kit.language import _, ngettext
from examples.kit.registry import ExampleFailed, example

__all__ = [
    "ExampleFailed",
    "_",
    "address_text",
    "example",
    "ngettext",
    "rule",
    "say",
    "short",
    "show_sdp",
    "wait_until",
]
