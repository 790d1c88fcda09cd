"""What the tests of the phone share: two phones on loopback, and a peer that does only what it is told."""

from tests.sipmedia.kit.commands import cli_settings
from tests.sipmedia.kit.phones import Pair, connected, first, pair, run, run_for_real
from tests.sipmedia.kit.scripted import ScriptedPeer

__all__ = ["Pair", "ScriptedPeer", "cli_settings", "connected", "first", "pair", "run", "run_for_real"]
