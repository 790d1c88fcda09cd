"""The codecs this process knows.

A codec is one module that builds a `Codec` and hands it to `register`; ours do so when `media.codec`
is imported. A package elsewhere names its codecs under the entry-point group `sipmedia.codecs`; each
entry point leads to a `Codec` or to a sequence of them. Those packages are loaded when a codec is
first looked up that is not known already, or when all names are asked for.
"""

import logging
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points

from media.codec.base import Codec
from media.errors import UnknownCodec

ENTRY_POINT_GROUP = "sipmedia.codecs"

_log = logging.getLogger(__name__)


class Registry:
    """Codecs by name, RTP clock rate and channels.

    What is left out is free: a name alone means the first registered in mono, else the first (opus/48000/2).
    """

    def __init__(self, plugins: Iterable[EntryPoint] | None = None) -> None:
        self._codecs: dict[tuple[str, int, int], Codec] = {}
        self._plugins = plugins
        self._plugins_loaded = False

    def register(self, codec: Codec) -> Codec:
        """Add a codec, in place of one with the same name, clock rate and channels; returns it."""
        self._codecs[codec.name.upper(), codec.clock_rate_hz, codec.channels] = codec
        return codec

    def get(self, name: str, clock_rate_hz: int | None = None, channels: int | None = None) -> Codec:
        """The codec of that name (any case); `UnknownCodec` lists the ones there are."""
        codec = self._find(name, clock_rate_hz, channels)
        if codec is None and not self._plugins_loaded:
            self._load_plugins()
            codec = self._find(name, clock_rate_hz, channels)
        if codec is None:
            wanted = name if clock_rate_hz is None else f"{name}/{clock_rate_hz}"
            if channels not in (None, 1):
                wanted += f" with {channels} channels"
            raise UnknownCodec(wanted, self.names())
        return codec

    def names(self) -> tuple[str, ...]:
        """The names of all codecs, each once, in the order they were registered."""
        if not self._plugins_loaded:
            self._load_plugins()
        return tuple(dict.fromkeys(codec.name for codec in self._codecs.values()))

    def by_static_payload_type(self, payload_type: int) -> Codec | None:
        """The codec that RFC 3551 section 6 gives this payload type, or None."""
        for codec in self._codecs.values():
            if codec.static_payload_type == payload_type:
                return codec
        return None

    def _find(self, name: str, clock_rate_hz: int | None, channels: int | None) -> Codec | None:
        wanted = name.upper()
        suitable = [
            codec
            for (known, rate, its_channels), codec in self._codecs.items()
            if known == wanted and clock_rate_hz in (None, rate) and channels in (None, its_channels)
        ]
        mono = (codec for codec in suitable if codec.channels == 1)
        return next(mono, None) or next(iter(suitable), None)

    def _load_plugins(self) -> None:
        self._plugins_loaded = True
        found = entry_points(group=ENTRY_POINT_GROUP) if self._plugins is None else self._plugins
        for plugin in found:
            try:
                loaded = plugin.load()
                for codec in (loaded,) if isinstance(loaded, Codec) else tuple(loaded):
                    self.register(codec)
            except Exception:  # other people's code: one broken package must not silence every call
                _log.exception("codec package %r could not be loaded; it is left out", plugin.name)


_registry = Registry()

register = _registry.register
get = _registry.get
names = _registry.names
by_static_payload_type = _registry.by_static_payload_type
