"""Settings of a command that talks for a moment."""

from typing import Any

from sipmedia.cli.settings import Settings


def cli_settings(**changed: Any) -> Settings:
    """As if given on the command line; all but ``changed`` by default."""
    values: dict[str, Any] = {
        "bind": "127.0.0.1:0", "rtp_ports": "24100-24200", "play": None, "record": None, "stereo": False,
        "dtmf": "", "duration": 0.1, "codecs": (), "trace": None,
    }  # fmt: skip
    return Settings(**(values | changed))
