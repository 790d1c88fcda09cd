"""How the examples print: translated lines, rules, session ids and SDP, all flushed at once."""

import threading
import time
from collections.abc import Callable

from examples.kit.language import _, ngettext

SDP_RULE = "-" * 3

_one_at_a_time = threading.Lock()


def show(text: str) -> None:
    """Print `text` as it is; lines of several threads (events have one of their own) do not mix."""
    with _one_at_a_time:
        print(text, flush=True)


def say(message: str = "", **values: object) -> None:
    """Print `message` in the chosen language, its {names} filled from `values`."""
    show(_(message).format(**values) if message else "")


def rule(length: int) -> None:
    """Print a line of `length` equals signs, the underline of a heading."""
    show("=" * length)


def short(session_id: str) -> str:
    """A session id as the examples show it: its first eight characters, then dots."""
    return f"{session_id[:8]}..."


def address_text(address: tuple[str, int] | None) -> str:
    """An address as host:port (an IPv6 host in brackets); a dash when there is none yet."""
    if address is None:
        return "—"
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def show_sdp(name: str, sdp: str) -> None:
    """Print a session description under its name and length, between rules."""
    length = ngettext("{count} character", "{count} characters", len(sdp))
    say("   📄 {name} ({length}):", name=name, length=length)
    show("\n".join([SDP_RULE, *sdp.splitlines(), SDP_RULE]))


def wait_until(condition: Callable[[], bool], timeout: float = 2.0) -> bool:
    """Look at `condition` every 10 ms until it holds; false when it does not within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
