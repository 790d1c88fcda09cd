"""A SIP softphone: calls with sound, from Python.

    async with Softphone(Account("sip:alice@127.0.0.1"), bind="127.0.0.1:5060") as phone:
        call = await phone.call("sip:bob@127.0.0.1:5062")
        await call.play("hello.wav")
        await call.hangup()

It joins ``dialog`` (SIP) and ``media`` (SDP and RTP); neither knows of the other.
"""

# The names below are loaded when they are first asked for: pytest imports this package to find our plugin in
# every test run of whoever has us installed, calls or no calls.

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sipmedia.account import Account
    from sipmedia.bridging import Bridge, bridge
    from sipmedia.call import Call
    from sipmedia.conference import Conference
    from sipmedia.config import PhoneConfig, TlsSettings
    from sipmedia.errors import (
        AddressInUse,
        BadBody,
        CallEnded,
        CallFailed,
        InvalidAddress,
        InvalidCallState,
        ModificationFailed,
        NotRegistered,
        PhoneClosed,
        RequestFailed,
        SipMediaError,
        SubscriptionFailed,
        TransferFailed,
        TransportUnavailable,
    )
    from sipmedia.events import (
        Answered,
        CallCreated,
        Dtmf,
        Ended,
        ErrorOccurred,
        Held,
        IncomingCall,
        MarkReached,
        MediaLost,
        MediaRegained,
        MediaStarted,
        Progress,
        Redirected,
        Registered,
        RegistrationFailed,
        Resumed,
        Ringing,
        Unregistered,
    )
    from sipmedia.headset import Headset
    from sipmedia.parties import CallState
    from sipmedia.playback import CallRecording, Playback
    from sipmedia.registration import Registration
    from sipmedia.service_events import (
        InfoReceived,
        MessageReceived,
        Replaced,
        SubscriptionRequested,
        TransferProgress,
        Transferred,
        TransferRequested,
    )
    from sipmedia.services import Capabilities
    from sipmedia.serving import Watcher
    from sipmedia.softphone import Softphone
    from sipmedia.subscriptions import PhonePublication, PhoneSubscription, StateNotified, SubscriptionOver
    from sipmedia.trace import CallTrace, render_svg, render_text
    from sipmedia.transfer import TransferOutcome, TransferRequest

__all__ = [
    "Account",
    "AddressInUse",
    "Answered",
    "BadBody",
    "Bridge",
    "Call",
    "CallCreated",
    "CallEnded",
    "CallFailed",
    "CallRecording",
    "CallState",
    "CallTrace",
    "Capabilities",
    "Conference",
    "Dtmf",
    "Ended",
    "ErrorOccurred",
    "Headset",
    "Held",
    "IncomingCall",
    "InfoReceived",
    "InvalidAddress",
    "InvalidCallState",
    "MarkReached",
    "MediaLost",
    "MediaRegained",
    "MediaStarted",
    "MessageReceived",
    "ModificationFailed",
    "NotRegistered",
    "PhoneClosed",
    "PhoneConfig",
    "PhonePublication",
    "PhoneSubscription",
    "Playback",
    "Progress",
    "Redirected",
    "Registered",
    "Registration",
    "RegistrationFailed",
    "Replaced",
    "RequestFailed",
    "Resumed",
    "Ringing",
    "SipMediaError",
    "Softphone",
    "StateNotified",
    "SubscriptionFailed",
    "SubscriptionOver",
    "SubscriptionRequested",
    "TlsSettings",
    "TransferFailed",
    "TransferOutcome",
    "TransferProgress",
    "TransferRequest",
    "TransferRequested",
    "Transferred",
    "TransportUnavailable",
    "Unregistered",
    "Watcher",
    "bridge",
    "render_svg",
    "render_text",
]

_HOMES = {
    "account": ("Account",),
    "bridging": ("Bridge", "bridge"),
    "call": ("Call",),
    "conference": ("Conference",),
    "config": ("PhoneConfig", "TlsSettings"),
    "errors": (
        "AddressInUse", "BadBody", "CallEnded", "CallFailed", "InvalidAddress", "InvalidCallState",
        "ModificationFailed", "NotRegistered", "PhoneClosed", "RequestFailed", "SipMediaError",
        "SubscriptionFailed", "TransferFailed", "TransportUnavailable",
    ),
    "events": (
        "Answered", "CallCreated", "Dtmf", "Ended", "ErrorOccurred", "Held", "IncomingCall", "MarkReached",
        "MediaLost", "MediaRegained", "MediaStarted", "Progress", "Redirected", "Registered",
        "RegistrationFailed", "Resumed", "Ringing", "Unregistered",
    ),
    "headset": ("Headset",),
    "parties": ("CallState",),
    "playback": ("CallRecording", "Playback"),
    "registration": ("Registration",),
    "service_events": (
        "InfoReceived", "MessageReceived", "Replaced", "SubscriptionRequested", "Transferred",
        "TransferProgress", "TransferRequested",
    ),
    "services": ("Capabilities",),
    "serving": ("Watcher",),
    "softphone": ("Softphone",),
    "subscriptions": ("PhonePublication", "PhoneSubscription", "StateNotified", "SubscriptionOver"),
    "trace": ("CallTrace", "render_svg", "render_text"),
    "transfer": ("TransferOutcome", "TransferRequest"),
}  # fmt: skip


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            value: object = getattr(import_module(f"{__name__}.{home}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
