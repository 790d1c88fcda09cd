"""What a registrar tells: one frozen dataclass an event.

registrar.on("bindings", handler)     BindingsChanged        registrar.on("routed", handler)   RequestRouted
registrar.on("refused", handler)      RequestRefused         registrar.on("error", handler)    ErrorOccurred
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BindingsChanged:
    """A user registered, refreshed or left: ``contacts`` are its phones now, each with its seconds."""

    user: str
    contacts: Sequence[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class RequestRouted:
    """A request outside any call was sent on, to so many phones."""

    method: str
    sender: str
    recipient: str
    targets: Sequence[str]


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """A request was answered by us: no such user, wrong password, not for us. Challenges are not told."""

    method: str
    sender: str
    recipient: str
    status: int
    why: str


RegistrarEvent = BindingsChanged | RequestRouted | RequestRefused
