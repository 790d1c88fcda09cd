"""Example 4: every operation of the media manager once, as short as it gets."""

from examples.kit import example, received, rule, say, short, wait_until
from media import ManagerConfig, MediaManager, PortRange, SessionDescription

CONFIG = ManagerConfig(default_local_ip="127.0.0.1", rtp_port_range=PortRange(11000, 11100))


@example(4, "⚙️", "A demonstration of the basic operations")
def basic_operations() -> None:
    """Run the operations, one printed line each."""
    say("⚙️ The basic operations of the Media Manager")
    rule(37)
    say()
    manager = MediaManager(CONFIG)

    manager.start()
    say("✅ start: the media thread runs")

    manager.on(
        "session_created", lambda event: say("🔔 on: session_created [{id}]", id=short(event.session_id))
    )

    caller, offer = manager.create_offer()
    say(
        "✅ create_offer: [{id}], {count} lines of SDP",
        id=short(caller.session_id),
        count=len(offer.splitlines()),
    )

    callee = manager.create_session_from_sdp(offer)
    say("✅ create_session_from_sdp: [{id}]", id=short(callee.session_id))

    third = manager.create_session_from_description(SessionDescription.parse(offer))
    say("✅ create_session_from_description: [{id}]", id=short(third.session_id))

    answer = manager.create_answer(callee.session_id)
    say("✅ create_answer: state {state}, codec {codec}", state=callee.state.value, codec=callee.codec)

    manager.update_session(caller.session_id, answer)
    say("✅ update_session: state {state}, codec {codec}", state=caller.state.value, codec=caller.codec)

    same = manager.get_session(caller.session_id)
    say("✅ get_session: [{id}]", id=short(same.session_id))

    say("✅ list_sessions: {count}", count=len(manager.list_sessions()))

    caller.write(bytes(2 * caller.rate // 10))  # a tenth of a second of silence: five packets
    wait_until(lambda: received(callee) >= 5)
    audio = manager.get_session_statistics(callee.session_id).media["audio"]
    say(
        "✅ get_session_statistics: received {count}, lost {lost}",
        count=audio.packets_received,
        lost=audio.packets_lost,
    )

    manager.close_session(third.session_id)
    wait_until(lambda: len(manager.list_sessions()) == 2)
    say("✅ close_session: sessions left {count}", count=len(manager.list_sessions()))

    manager.stop()
    say("✅ stop: sessions left {count}", count=len(manager.list_sessions()))
