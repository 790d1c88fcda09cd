"""Example 1: two media sessions on this machine talk to each other, from the offer to the last statistics.

The caller makes an SDP offer, the callee answers it, five packets of a tone go each way over real UDP
sockets, and both say what they sent and what they heard.
"""

import time

from examples.kit import (
    ExampleFailed,
    _,
    address_text,
    example,
    ngettext,
    received,
    rule,
    say,
    short,
    show_sdp,
    tone,
    wait_until,
)
from media import ManagerConfig, MediaManager, MediaSession, PortRange

CONFIG = ManagerConfig(
    default_local_ip="127.0.0.1",
    rtp_port_range=PortRange(10000, 10100),
    default_audio_codecs=("PCMU", "PCMA", "G722"),
    default_ptime=20,
)
PACKETS = 5
SAMPLE_RATE_HZ = 8000
SAMPLES_PER_PACKET = SAMPLE_RATE_HZ * CONFIG.default_ptime // 1000


@example(1, "📞", "Full P2P communication demonstration (the main one)")
def peer_to_peer() -> None:
    """Run the demonstration: seven steps and the list of what was shown."""
    say("🎯 Media Manager demonstration: peer-to-peer communication")
    rule(60)
    say()

    say("📦 1. Creating a Media Manager on localhost...")
    with MediaManager(CONFIG) as manager:
        say("✅ Media Manager created")
        say("   📍 Local IP: {ip}", ip=CONFIG.default_local_ip)
        say("   🔌 Port range: {ports}", ports=CONFIG.rtp_port_range)
        show_events(manager)

        caller, callee = connect(manager)
        talk(caller, callee)
        show_statistics(manager, caller, callee)
        close(manager, caller, callee)

    say()
    say("🎉 Demonstration finished!")
    say("   ✓ Media Manager created on localhost")
    say("   ✓ SDP offer and answer created")
    say("   ✓ Two-way connection established")
    say("   ✓ Audio sent and received in both directions")
    say("   ✓ Statistics of both sessions shown")
    say("   ✓ All sessions closed in order")


def show_events(manager: MediaManager) -> None:
    """Print the manager's events as they happen."""
    manager.on("session_created", lambda e: say("🎉 Event: session created [{id}]", id=short(e.session_id)))
    manager.on(
        "sdp_negotiated",
        lambda e: say(
            "🤝 Event: SDP negotiated [{id}], codec {codec}", id=short(e.session_id), codec=e.codec
        ),
    )
    manager.on("session_closed", lambda e: say("🔚 Event: session closed [{id}]", id=short(e.session_id)))


def connect(manager: MediaManager) -> tuple[MediaSession, MediaSession]:
    """Steps 2 to 4: the offer, the answer, and both sides active."""
    say()
    say("🚀 2. Creating the first session (Caller) with an SDP offer...")
    caller, offer = manager.create_offer()
    say("✅ Caller session created: {id}", id=short(caller.session_id))
    say("   📍 Local address: {address}", address=address_text(caller.local_address))
    show_sdp("SDP Offer", offer)

    say()
    say("📞 3. Creating the second session (Callee) from the SDP offer...")
    callee = manager.create_session_from_sdp(offer)
    answer = manager.create_answer(callee.session_id)
    say("✅ Callee session created: {id}", id=short(callee.session_id))
    say("   📍 Local address: {address}", address=address_text(callee.local_address))
    show_sdp("SDP Answer", answer)

    say()
    say("🔗 4. Connecting the two sessions...")
    manager.update_session(caller.session_id, answer)
    say("✅ Connection established")
    for name, session in (("📞 Caller", caller), ("📱 Callee", callee)):
        say(
            "   {name}: {local} → {remote}, state: {state}",
            name=name,
            local=address_text(session.local_address),
            remote=address_text(session.remote_address),
            state=session.state.value,
        )
    return caller, callee


def talk(caller: MediaSession, callee: MediaSession) -> None:
    """Step 5: five packets each way, one every 20 ms, and how many arrived."""
    say()
    say("🎵 5. Sending audio in both directions, a packet every {ptime} ms...", ptime=CONFIG.default_ptime)
    low, high = (tone(SAMPLE_RATE_HZ, hz, PACKETS * CONFIG.default_ptime / 1000) for hz in (440, 880))
    for number in range(PACKETS):
        block = slice(number * SAMPLES_PER_PACKET, (number + 1) * SAMPLES_PER_PACKET)
        caller.write(low[block])
        callee.write(high[block])
        samples = ngettext("{count} sample", "{count} samples", SAMPLES_PER_PACKET)
        say("   📤 Caller → Callee: packet {n} ({samples})", n=number + 1, samples=samples)
        say("   📤 Callee → Caller: packet {n} ({samples})", n=number + 1, samples=samples)
        time.sleep(CONFIG.default_ptime / 1000)

    heard = wait_until(lambda: received(caller) >= PACKETS and received(callee) >= PACKETS)
    for name, session in (("Callee", callee), ("Caller", caller)):
        packets = ngettext("{count} packet", "{count} packets", received(session))
        say("   📥 {name} received: {packets}", name=name, packets=packets)
    if not heard:
        raise ExampleFailed(_("not every packet arrived; is a firewall filtering UDP on this address?"))
    say("✅ Audio went both ways")


def show_statistics(manager: MediaManager, caller: MediaSession, callee: MediaSession) -> None:
    """Step 6: what both sessions counted."""
    say()
    say("📊 6. Statistics of the sessions:")
    for name, session in (("📞 Caller", caller), ("📱 Callee", callee)):
        statistics = manager.get_session_statistics(session.session_id)
        audio = statistics.media["audio"]
        say("   {name} [{id}]:", name=name, id=short(session.session_id))
        say("      State: {state}", state=statistics.state.value)
        say("      Duration: {seconds:.2f} s", seconds=statistics.duration)
        say("      Last activity: {seconds:.2f} s ago", seconds=time.time() - statistics.last_activity)
        say("      Streams: {count}", count=len(statistics.media))
        say(
            "      Sent: {packets}, {bytes}",
            packets=ngettext("{count} packet", "{count} packets", audio.packets_sent),
            bytes=ngettext("{count} byte", "{count} bytes", audio.bytes_sent),
        )
        say(
            "      Received: {packets}, {bytes}",
            packets=ngettext("{count} packet", "{count} packets", audio.packets_received),
            bytes=ngettext("{count} byte", "{count} bytes", audio.bytes_received),
        )


def close(manager: MediaManager, *sessions: MediaSession) -> None:
    """Step 7: close both; the event comes when the ports are free again."""
    say()
    say("🛑 7. Closing in order...")
    closed: list[str] = []
    manager.on("session_closed", lambda event: closed.append(event.session_id))
    for session in sessions:
        manager.close_session(session.session_id)
    wait_until(lambda: len(closed) == len(sessions))
    say("✅ All sessions closed, sessions left: {count}", count=len(manager.list_sessions()))
