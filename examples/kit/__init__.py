"""What the examples share: the registry behind the menu, the two languages, and a few lines of printing."""

from examples.kit.console import address_text, rule, say, short, show, show_sdp, wait_until
from examples.kit.event_log import EventLog
from examples.kit.language import _, ngettext
from examples.kit.options import options
from examples.kit.registry import ExampleFailed, example
from examples.kit.sound import received, tone

__all__ = [
    "EventLog",
    "ExampleFailed",
    "_",
    "address_text",
    "example",
    "ngettext",
    "options",
    "received",
    "rule",
    "say",
    "short",
    "show",
    "show_sdp",
    "tone",
    "wait_until",
]
