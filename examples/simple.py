"""Example 2: the smallest whole conversation of two media sessions, explained step by step.

Read it from top to bottom: every call of the library has a comment that says what it does and why.
"""

from examples.kit import ExampleFailed, _, address_text, example, received, rule, say, short, wait_until
from media import ManagerConfig, MediaManager, PortRange, SessionClosed, SessionConstraints, SessionCreated


@example(2, "🔧", "A simple example for beginners")
def simple() -> None:
    """Run the example."""
    say("🎯 A simple Media Manager example")
    rule(31)
    say()

    # The configuration says where sessions listen. 127.0.0.1 is this machine alone; put the address of
    # your network card here to talk to another machine. Each session takes two ports of the range: an
    # even one for the sound (RTP) and the next one for reports about the sound (RTCP).
    say("📦 Step 1: Creating the configuration...")
    config = ManagerConfig(default_local_ip="127.0.0.1", rtp_port_range=PortRange(10000, 10050))
    say("   IP: {ip}, Ports: {ports}", ip=config.default_local_ip, ports=config.rtp_port_range)
    say()

    # The manager owns the sessions and one thread that sends and receives for all of them. `start` begins
    # that thread and `stop` ends it; the `try ... finally` below makes sure that `stop` is always called.
    # (`with MediaManager(config) as manager:` does the same in one line.)
    say("🚀 Step 2: Creating the Media Manager...")
    manager = MediaManager(config)
    manager.start()
    say("   ✅ Media Manager is running")
    say()
    try:
        converse(manager)
    finally:
        manager.stop()
    say()
    say("🎉 Done! Next, look at examples 3 and 6.")


def converse(manager: MediaManager) -> None:
    """Steps 3 to 8: two sessions made, connected, used and closed."""

    # The manager tells about everything that happens by events. A handler is a function with one
    # argument, and what happened is in the fields of that argument.
    def on_created(event: SessionCreated) -> None:
        say("   🔔 Event: session created [{id}]", id=short(event.session_id))

    closed: list[str] = []

    def on_closed(event: SessionClosed) -> None:
        say("   🔔 Event: session closed [{id}]", id=short(event.session_id))
        closed.append(event.session_id)

    manager.on("session_created", on_created)
    manager.on("session_closed", on_closed)

    # The one who calls makes an "offer": a text in the SDP format that says "send sound to this address,
    # I understand these codecs". In a real call SIP carries this text to the other side.
    say("📞 Step 3: Creating the Caller session...")
    caller, offer = manager.create_offer(SessionConstraints(audio_codecs=("PCMU",)))
    say(
        "   ✅ Caller: {id}, listens on {address}",
        id=short(caller.session_id),
        address=address_text(caller.local_address),
    )
    say()

    # The one who is called makes a session out of the offer and answers with a text of the same format.
    say("📱 Step 4: Creating the Callee session from the offer...")
    callee = manager.create_session_from_sdp(offer)
    answer = manager.create_answer(callee.session_id)
    say(
        "   ✅ Callee: {id}, listens on {address}",
        id=short(callee.session_id),
        address=address_text(callee.local_address),
    )
    say()

    # The answer goes back to the caller. Now both know the other's address and the codec: they are active.
    say("🔗 Step 5: Connecting the sessions...")
    manager.update_session(caller.session_id, answer)
    say(
        "   ✅ Caller: {caller}, Callee: {callee}, codec: {codec}",
        caller=caller.state.value,
        callee=callee.state.value,
        codec=caller.codec,
    )
    say()

    # Sound is 16-bit numbers, `rate` of them a second. `write` puts them into a queue, from which the
    # media thread takes 20 ms at a time and sends each as one packet. Here: half a second of a buzz.
    say("🎵 Step 6: Sending half a second of sound...")
    period = (b"\x00\x10" * 20 + b"\x00\xf0" * 20) * (caller.rate // 80)
    caller.write(period)
    wait_until(lambda: received(callee) >= 25)
    say("   ✅ Sent")
    say()

    # Statistics are a snapshot: ask again for newer figures.
    say("📊 Step 7: Asking for the statistics...")
    sent = manager.get_session_statistics(caller.session_id).media["audio"].packets_sent
    heard = manager.get_session_statistics(callee.session_id).media["audio"].packets_received
    say("   Caller sent {sent} packets, Callee received {heard}", sent=sent, heard=heard)
    if heard == 0:
        raise ExampleFailed(_("the callee heard nothing; is a firewall filtering UDP on this address?"))
    say()

    # Closing gives the ports back. It happens in the media thread, so the event comes a moment later.
    say("🛑 Step 8: Closing the sessions...")
    for session in (caller, callee):
        manager.close_session(session.session_id)
    wait_until(lambda: len(closed) == 2)
    say("   ✅ Sessions left: {count}", count=len(manager.list_sessions()))
