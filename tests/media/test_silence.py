"""When a silence means that the peer is gone, and when not."""

import struct
from collections.abc import Callable
from dataclasses import replace

import pytest

from media.config import ManagerConfig
from media.events import StreamEvent, StreamHeard, StreamSilent
from media.plan import MediaDirection, StreamPlan
from media.silence import LOOK_EVERY_S, Life, SilenceWatch
from tests.media.helpers.wire import A, Pair, plan, talk


def news(
    watch: SilenceWatch, until: float, last: Callable[[float], float], *, since: float = 0.0, **state: bool
) -> list[tuple[float, Life]]:
    """What looks from `since` to `until` find, `last` telling when a packet came last."""
    found = []
    for step in range(int(since / LOOK_EVERY_S) + 1, int(until / LOOK_EVERY_S) + 1):
        now = step * LOOK_EVERY_S
        life = watch.look(now, last(now), **({"expected": True, "paused": False} | state))
        if life is not None:
            found.append((now, life))
    return found


def test_lost_once_and_regained() -> None:
    watch = SilenceWatch(5.0)
    assert news(watch, 30.0, lambda now: min(now, 10.0)) == [(15.0, Life.LOST)]
    assert watch.silent_s == 5.0
    assert news(watch, 40.0, lambda now: now, since=30.0) == [(30.5, Life.REGAINED)]
    assert watch.silent_s == 20.5
    assert news(watch, 60.0, lambda now: 40.0, since=40.0) == [(45.0, Life.LOST)]


def test_without_a_timeout_for_ever() -> None:
    assert news(SilenceWatch(), 1000.0, lambda now: 1.0) == []


def test_who_never_spoke_is_not_missed() -> None:
    assert news(SilenceWatch(5.0), 100.0, lambda now: 0.0) == []


def test_a_hold_is_no_loss_and_the_time_begins_after_it() -> None:
    watch = SilenceWatch(5.0)
    assert news(watch, 60.0, lambda now: 1.0, expected=False) == []
    assert news(watch, 80.0, lambda now: 1.0, since=60.0) == [(65.0, Life.LOST)]


def test_an_announced_pause_may_last_longer() -> None:
    assert news(SilenceWatch(5.0), 60.0, lambda now: 1.0, paused=True) == [(21.0, Life.LOST)]


def test_our_own_absence_is_not_the_peers() -> None:
    watch = SilenceWatch(5.0)
    assert news(watch, 2.0, lambda now: now) == []
    assert watch.look(60.0, 2.0, expected=True, paused=False) is None  # we were stopped for a minute
    assert news(watch, 70.0, lambda now: 2.0, since=60.0) == [(65.0, Life.LOST)]


def lives(pair: Pair) -> list[type[StreamEvent]]:
    return [type(e) for e in pair.b.engine.events if isinstance(e, StreamSilent | StreamHeard)]


def test_a_stream_that_ends_is_told() -> None:
    pair = talk()
    pair.b.stream.silence.timeout_s = 5.0
    pair.run(3)
    pair.a.engine.remove_stream(pair.a.stream, pair.now)
    pair.run(4)
    assert lives(pair) == []
    pair.run(3)
    assert lives(pair) == [StreamSilent]


def test_rtcp_alone_is_a_sign_of_life() -> None:
    pair = talk()
    pair.b.stream.silence.timeout_s = 8.0  # RTCP comes every 2.5 to 7.5 s
    pair.run(2)
    pair.a.stream.outbound.set_source(None)
    pair.run(60)
    assert lives(pair) == []


@pytest.mark.parametrize("direction", [d for d in MediaDirection if d is not MediaDirection.SENDRECV])
def test_on_hold_nothing_is_missed(direction: MediaDirection) -> None:
    pair = talk()
    pair.b.stream.silence.timeout_s = 2.0
    pair.run(2)
    pair.b.engine.update(pair.b.stream, plan(A, direction=direction))
    pair.a.engine.remove_stream(pair.a.stream, pair.now)
    pair.run(30)
    assert lives(pair) == []


def test_comfort_noise_announces_a_pause() -> None:
    pair = talk()
    with_noise: StreamPlan = replace(plan(A), comfort_noise_receive=13)
    pair.b.engine.update(pair.b.stream, with_noise)
    pair.run(1)
    inbound = pair.b.stream.inbound
    assert not inbound.paused
    receiver = inbound.receiver
    assert receiver is not None
    following = receiver.last_sequence_number + 1
    header = struct.pack("!BBHII", 0x80, 13, following & 0xFFFF, receiver.last_timestamp + 160, receiver.ssrc)
    inbound.receive(header + b"\x40", A, pair.now)
    assert inbound.paused
    pair.run(1)
    assert not inbound.paused


def test_a_timeout_below_a_second_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 s"):
        ManagerConfig(media_timeout_s=0.2)
    assert ManagerConfig(media_timeout_s=1.0).media_timeout_s == 1.0
