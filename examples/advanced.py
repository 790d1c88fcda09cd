"""Example 3: several calls at once, codecs, errors, events with times, sound and DTMF, live figures.

Each section is one function and can be read alone.
"""

import time
from collections.abc import Callable

from examples.kit import (
    EventLog,
    ExampleFailed,
    _,
    address_text,
    example,
    ngettext,
    received,
    rule,
    say,
    short,
    tone,
    wait_until,
)
from media import (
    ManagerConfig,
    MediaError,
    MediaManager,
    MediaSession,
    PortRange,
    SessionConstraints,
)

CONFIG = ManagerConfig(
    default_local_ip="127.0.0.1",
    rtp_port_range=PortRange(12000, 12200),
    default_audio_codecs=("PCMU", "PCMA", "G722"),
)
DIGITS = "123"
Pair = tuple[MediaSession, MediaSession]


@example(3, "🚀", "An advanced example with several sessions")
def advanced() -> None:
    """Run the demonstration, section by section."""
    say("🚀 Starting the advanced Media Manager demonstration")
    rule(51)
    say()
    say("📦 Creating a Media Manager with an extended configuration...")
    with MediaManager(CONFIG) as manager:
        log = EventLog(manager)
        say("✅ Media Manager is running")
        say("   🎵 Supported codecs: {codecs}", codecs=codec_list(CONFIG.default_audio_codecs))
        pairs = several_sessions(manager)
        codec_negotiation(manager)
        error_handling(manager, taken=pairs[0][0])
        sound_and_dtmf(manager, log)
        live_statistics(manager, pairs)
        say()
        say("🛑 Closing the sessions...")
        for session in [session for pair in pairs for session in pair]:
            manager.close_session(session.session_id)
        wait_until(lambda: not manager.list_sessions())
    say("✅ The advanced demonstration is finished")


def connect(manager: MediaManager, offered: tuple[str, ...], known: tuple[str, ...]) -> Pair:
    """Two connected sessions: one that offers the codecs `offered` and one that knows `known`."""
    caller, offer = manager.create_offer(SessionConstraints(audio_codecs=offered))
    callee = manager.create_session_from_sdp(offer)
    answer = manager.create_answer(callee.session_id, SessionConstraints(audio_codecs=known))
    manager.update_session(caller.session_id, answer)
    return caller, callee


def codec_list(codecs: tuple[str, ...]) -> str:
    """Codecs as the examples show them: [PCMU PCMA]."""
    return f"[{' '.join(codecs)}]"


def several_sessions(manager: MediaManager) -> list[Pair]:
    """Three pairs at once, each with its own ports; one media thread serves them all."""
    say()
    say("🔗 Demonstrating several sessions...")
    pairs = [connect(manager, CONFIG.default_audio_codecs, CONFIG.default_audio_codecs) for _pair in range(3)]
    for number, (caller, callee) in enumerate(pairs, start=1):
        say(
            "   ✅ Pair {n}: [{caller}] {caller_address} ↔ [{callee}] {callee_address}, codec {codec}",
            n=number,
            caller=short(caller.session_id),
            caller_address=address_text(caller.local_address),
            callee=short(callee.session_id),
            callee_address=address_text(callee.local_address),
            codec=callee.codec,
        )
    say("   📊 Sessions: {count}", count=len(manager.list_sessions()))
    return pairs


def codec_negotiation(manager: MediaManager) -> None:
    """Three cases; the answer follows the order of the offer and leaves out what is not known."""
    say()
    say("🎵 Demonstrating codec negotiation...")
    cases = (
        (_("PCMU preferred"), ("PCMU", "PCMA", "G722"), ("PCMU",), "PCMU"),
        (_("one codec in common"), ("G722", "PCMA"), ("PCMA", "PCMU"), "PCMA"),
        (_("three codecs against two"), ("PCMU", "PCMA", "G722"), ("G722", "PCMA"), "PCMA"),
    )
    for name, offered, known, expected in cases:
        caller, callee = connect(manager, offered, known)
        say(
            "   🎯 {name}: offered {offered}, known {known} → {codec}",
            name=name,
            offered=codec_list(offered),
            known=codec_list(known),
            codec=callee.codec,
        )
        manager.close_session(caller.session_id)
        manager.close_session(callee.session_id)
        if not caller.codec == callee.codec == expected:
            raise ExampleFailed(_("the two sides agreed on an unexpected codec"))


def error_handling(manager: MediaManager, taken: MediaSession) -> None:
    """Six mistakes and what the library says to each; the port of the session `taken` is not free."""
    say()
    say("⚠️ Demonstrating error handling...")
    assert taken.local_address is not None  # it has made an offer, so it listens
    port = taken.local_address[1]
    only_that = ManagerConfig(CONFIG.default_local_ip, rtp_port_range=PortRange(port, port + 1))
    offer_pcmu = SessionConstraints(audio_codecs=("PCMU",))

    def range_exhausted() -> None:
        with MediaManager(only_that) as other:
            other.create_offer()

    def no_common_codec() -> None:
        caller, offer = manager.create_offer(offer_pcmu)
        callee = manager.create_session_from_sdp(offer)
        try:
            manager.create_answer(callee.session_id, SessionConstraints(audio_codecs=("G722",)))
        finally:
            manager.close_session(callee.session_id)
            manager.close_session(caller.session_id)

    mistakes: tuple[tuple[str, Callable[[], object]], ...] = (
        (_("Unknown session"), lambda: manager.get_session("no-such-session")),
        (_("Bad SDP"), lambda: manager.create_session_from_sdp("v=0\r\nthis is not SDP\r\n")),
        (_("Answer without a session"), lambda: manager.create_answer("no-such-session")),
        (_("Port range exhausted"), range_exhausted),
        (_("Port taken"), lambda: manager.create_offer(SessionConstraints(local_port=port))),
        (_("No common codec"), no_common_codec),
    )
    for name, mistake in mistakes:
        try:
            mistake()
        except MediaError as error:
            say("   ✅ {name}: {kind}: {text}", name=name, kind=type(error).__name__, text=error)
        else:
            raise ExampleFailed(_("the mistake «{name}» was not noticed").format(name=name))


def sound_and_dtmf(manager: MediaManager, log: EventLog) -> None:
    """A tone, the keys 1, 2, 3 and what the other end counted; then the log of all that happened."""
    say()
    say("📞 Demonstrating sound and DTMF...")
    pair = caller, callee = connect(manager, ("PCMU",), ("PCMU",))
    caller.write(tone(caller.rate, 440, 0.5))
    wait_until(lambda: received(callee) >= 25)
    heard = received(callee)
    packets = ngettext("{count} packet", "{count} packets", heard)
    say("   🎵 The other end received: {packets}", packets=packets)
    caller.send_dtmf(DIGITS)
    wait_until(lambda: log.count("dtmf_received", pair) >= len(DIGITS), timeout=5)
    digits = log.count("dtmf_received", pair)
    say(
        "   🔢 DTMF sent: {digits}; the other end received {heard} of {sent}",
        digits=" ".join(DIGITS),
        heard=digits,
        sent=len(DIGITS),
    )
    if not heard or digits != len(DIGITS):
        raise ExampleFailed(_("the other end did not hear everything"))
    for session in pair:
        manager.close_session(session.session_id)
    wait_until(lambda: log.count("session_closed", pair) >= 2)
    say()
    say("📜 The event log of this call (seconds from its start):")
    log.show(pair)


def live_statistics(manager: MediaManager, pairs: list[Pair]) -> None:
    """All pairs talk for a second; the figures are read meanwhile, and once more when all has arrived."""
    say()
    say("📊 Live statistics...")
    for caller, callee in pairs:
        caller.write(tone(caller.rate, 440, 1.0))
        callee.write(tone(callee.rate, 660, 1.0))

    def totals() -> dict[str, float]:
        audio = [manager.get_session_statistics(s.session_id).media["audio"] for pair in pairs for s in pair]
        return {
            "sent": sum(a.packets_sent for a in audio),
            "received": sum(a.packets_received for a in audio),
            "lost": sum(a.packets_lost for a in audio),
            "jitter": max(a.jitter for a in audio),
        }

    def all_arrived() -> bool:
        now = totals()
        return now["received"] == now["sent"] == expected

    expected = 2 * len(pairs) * 1000 // CONFIG.default_ptime
    begun = time.monotonic()
    for _reading in range(4):
        time.sleep(0.24)
        say(
            "   ⏱️ {seconds:.2f} s: sent {sent}, received {received}, lost {lost}, jitter {jitter:.2f} ms",
            seconds=time.monotonic() - begun,
            **totals(),
        )
    arrived = wait_until(all_arrived)
    say("   📊 In all: sent {sent}, received {received}, lost {lost}", **totals())
    if not arrived:
        raise ExampleFailed(_("not all that was sent has arrived"))
