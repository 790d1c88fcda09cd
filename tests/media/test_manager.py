"""media/manager.py: the contract over real loopback sockets, and its errors in a virtual world."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from media import (
    AddressInUse,
    BadAddress,
    BadPortRange,
    BadSdp,
    InvalidState,
    ManagerConfig,
    MediaManager,
    MediaSession,
    NoCommonCodec,
    PortRange,
    PortsExhausted,
    SessionConstraints,
    SessionDescription,
    SessionError,
    SessionState,
    UnknownCodec,
    UnknownSession,
)
from media.events import SESSION_EVENTS, SessionEventName
from tests.media.virtual import VirtualRuntime

TIMEOUT_S = 10.0
PORTS = PortRange(21400, 21499)


class Log:
    """Notes events and lets a test wait for one."""

    def __init__(self, manager: MediaManager) -> None:
        self.events: list[tuple[str, Any]] = []
        self._changed = threading.Condition()
        for name in SESSION_EVENTS:
            if name != "media_received":
                manager.on(name, self._noting(name))

    def _noting(self, name: SessionEventName) -> Callable[[Any], None]:
        def note(event: Any) -> None:
            assert isinstance(event, SESSION_EVENTS[name])
            with self._changed:
                self.events.append((name, event))
                self._changed.notify_all()

        return note

    def names(self) -> list[str]:
        return [name for name, _ in self.events]

    def wait(self, name: str, count: int = 1) -> Any:
        with self._changed:
            assert self._changed.wait_for(lambda: self.names().count(name) >= count, TIMEOUT_S), name
            return next(event for found, event in self.events if found == name)


@pytest.fixture
def manager() -> Iterator[MediaManager]:
    with MediaManager(ManagerConfig(rtp_port_range=PORTS, statistics_interval_s=0.02)) as manager:
        yield manager


@pytest.fixture
def virtual() -> Iterator[MediaManager]:
    taken = [("127.0.0.1", 10000), ("127.0.0.1", 10003), ("127.0.0.1", 30000)]
    runtime = VirtualRuntime(taken=taken)
    with MediaManager(ManagerConfig(rtp_port_range=PortRange(10000, 10009)), runtime) as manager:
        yield manager


def connect(manager: MediaManager) -> tuple[MediaSession, MediaSession]:
    caller, offer = manager.create_offer()
    callee = manager.create_session_from_sdp(offer)
    manager.update_session(caller.session_id, manager.create_answer(callee.session_id))
    return caller, callee


# --- over real sockets ---


def test_a_call_from_plain_threads(manager: MediaManager) -> None:
    log = Log(manager)
    caller, callee = connect(manager)
    assert caller.state is callee.state is SessionState.ACTIVE
    assert log.names()[:2] == ["session_created", "session_created"]
    assert manager.list_sessions() == [caller.session_id, callee.session_id]
    assert manager.get_session(caller.session_id) is caller
    caller.write(np.full(1600, 1000, np.int16))
    caller.send_dtmf("4")
    assert log.wait("dtmf_received").digit == "4"
    assert log.wait("statistics").statistics.session_id in manager.list_sessions()
    statistics = manager.get_session_statistics(callee.session_id)
    assert statistics.media["audio"].packets_received > 0
    assert statistics.state is SessionState.ACTIVE
    assert statistics.network.source == caller.local_address
    assert statistics.network.remote == caller.local_address
    assert statistics.network.local == callee.local_address
    assert statistics.last_activity >= callee.created_at
    manager.close_session(caller.session_id)
    closed = log.wait("session_closed")
    assert closed.session is caller
    assert closed.statistics.media["audio"].packets_sent > 0
    with pytest.raises(UnknownSession):
        manager.get_session(caller.session_id)
    manager.stop()
    manager.stop()
    assert log.names().count("session_closed") == 2
    assert manager.list_sessions() == []


def test_a_call_inside_an_event_loop() -> None:
    """Wire events come to the loop's thread; frames can be read and the end awaited."""

    async def main() -> None:
        threads: set[int] = set()
        with MediaManager(ManagerConfig(rtp_port_range=PORTS)) as manager:
            manager.on("session_updated", lambda event: threads.add(threading.get_ident()))
            caller, callee = connect(manager)
            caller.write(np.full(800, 1000, np.int16))
            reader = callee.frames()
            frame = await asyncio.wait_for(anext(aiter(reader)), TIMEOUT_S)
            assert frame.sample_rate_hz == 8000
            await asyncio.wait_for(caller.drain(), TIMEOUT_S)
            caller.close()
            await asyncio.wait_for(caller.wait_closed(), TIMEOUT_S)
        assert callee.state is SessionState.CLOSED
        await asyncio.wait_for(callee.wait_closed(), TIMEOUT_S)
        assert threads == {threading.get_ident()}

    asyncio.run(main())


def test_port_held_by_another_program(manager: MediaManager) -> None:
    with MediaManager(ManagerConfig(rtp_port_range=PORTS)) as other:
        session, _ = other.create_offer(SessionConstraints(local_port=21480))
        with pytest.raises(AddressInUse, match="21480"):
            manager.create_offer(SessionConstraints(local_port=21480))
        assert manager.list_sessions() == []
        first, _ = manager.create_offer()
        second, _ = other.create_offer()
        assert first.local_address != second.local_address
        assert session.local_address == ("127.0.0.1", 21480)


def test_ipv6(manager: MediaManager) -> None:
    log = Log(manager)
    six = SessionConstraints(local_ip="::1")
    try:
        caller, offer = manager.create_offer(six)
    except BadAddress as error:
        pytest.skip(f"no IPv6 here: {error}")
    assert "c=IN IP6 ::1\r\n" in offer
    callee = manager.create_session_from_sdp(offer)
    caller.set_remote_answer(callee.create_answer(six))
    assert caller.remote_address == callee.local_address
    caller.send_dtmf("6")
    assert log.wait("dtmf_received").digit == "6"


def test_started_again(manager: MediaManager) -> None:
    connect(manager)
    manager.stop()
    manager.start()
    manager.start()
    caller, _ = connect(manager)
    assert manager.list_sessions()[0] == caller.session_id


def test_handlers_may_use_the_manager(manager: MediaManager) -> None:
    """Closing a session from a handler of the wire, and one that fails, do no harm."""
    log = Log(manager)

    def hang_up(event: Any) -> None:
        manager.close_session(event.session_id)
        raise RuntimeError("and then this")

    manager.on("dtmf_received", hang_up)
    caller, callee = connect(manager)
    caller.send_dtmf("1")
    assert log.wait("session_closed").session is callee
    assert isinstance(log.wait("session_error").error, RuntimeError)


def test_sessions_from_many_threads(manager: MediaManager) -> None:
    """Each is created, answered and closed; every port comes back and every end is reported once."""
    log = Log(manager)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(5):
                caller, callee = connect(manager)
                caller.write(np.zeros(160, np.int16))
                caller.close()
                callee.close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
    log.wait("session_closed", 40)
    assert failures == []
    assert manager.list_sessions() == []
    assert manager.ports.in_use == 0
    assert log.names().count("session_closed") == 40


def test_sessions_that_are_over_are_let_go(virtual: MediaManager) -> None:
    session, _ = virtual.create_offer()
    kept = weakref.ref(session)
    session.close()
    assert isinstance(virtual.runtime, VirtualRuntime)
    virtual.runtime.run(0.1)
    virtual.stop()
    del session
    gc.collect()
    assert kept() is None


# --- in a virtual world ---


def test_ports_are_even_and_taken_ones_skipped(virtual: MediaManager) -> None:
    """10000 is held, 10002's RTCP port too."""
    ports = [virtual.create_offer()[0].local_address for _ in range(3)]
    assert ports == [("127.0.0.1", 10004), ("127.0.0.1", 10006), ("127.0.0.1", 10008)]
    with pytest.raises(PortsExhausted, match=r"10000-10009.*our own sessions: 3"):
        virtual.create_offer()
    assert len(virtual.list_sessions()) == 3
    with pytest.raises(AddressInUse, match="30000"):
        virtual.create_offer(SessionConstraints(local_port=30000))


def test_ports_come_back(virtual: MediaManager) -> None:
    sessions = [virtual.create_offer()[0] for _ in range(3)]
    for session in sessions:
        session.close()
    assert isinstance(virtual.runtime, VirtualRuntime)
    virtual.runtime.run(0.1)
    assert virtual.runtime.sockets == {}
    assert virtual.create_offer()[0].local_address is not None


def test_session_without_sockets_is_closed_at_once(virtual: MediaManager) -> None:
    log = Log(virtual)
    _, offer = virtual.create_offer()
    session = virtual.create_session_from_description(SessionDescription.parse(offer))
    virtual.close_session(session.session_id)
    assert log.names()[-1] == "session_closed"
    assert session.state is SessionState.CLOSED


def test_session_whose_answer_failed_gives_its_ports_back(virtual: MediaManager) -> None:
    log = Log(virtual)
    _, offer = virtual.create_offer(SessionConstraints(audio_codecs=("PCMU",)))
    session = virtual.create_session_from_sdp(offer)
    with pytest.raises(NoCommonCodec, match=r"we have G722; they have PCMU"):
        virtual.create_answer(session.session_id, SessionConstraints(audio_codecs=("G722",)))
    name, event = log.events[-1]
    assert name == "session_error"
    assert isinstance(event, SessionError)
    assert isinstance(event.error, NoCommonCodec)
    session.close()
    assert log.names()[-1] == "session_closed"
    assert isinstance(virtual.runtime, VirtualRuntime)
    assert session.local_address is not None
    assert session.local_address not in virtual.runtime.sockets


def test_update_takes_an_answer_or_a_new_offer(virtual: MediaManager) -> None:
    caller, callee = connect(virtual)
    offer = caller.create_offer(SessionConstraints(audio_codecs=("PCMA",)))
    virtual.update_session(callee.session_id, offer)
    with pytest.raises(InvalidState):
        virtual.update_session(callee.session_id, offer)
    virtual.update_session(caller.session_id, virtual.create_answer(callee.session_id))
    assert caller.codec == callee.codec == "PCMA"


def test_errors_a_person_can_act_on(virtual: MediaManager) -> None:
    for call in (
        virtual.get_session,
        virtual.close_session,
        virtual.create_answer,
        virtual.get_session_statistics,
    ):
        with pytest.raises(UnknownSession, match="no session 'nobody'"):
            call("nobody")
    with pytest.raises(UnknownSession):
        virtual.update_session("nobody", "v=0")
    with pytest.raises(BadSdp, match="line 2 'this is not SDP'"):
        virtual.create_session_from_sdp("v=0\r\nthis is not SDP\r\n")
    with pytest.raises(BadAddress, match=r"192\.0\.2\.77"):
        virtual.create_offer(SessionConstraints(local_ip="192.0.2.77"))
    with pytest.raises(BadPortRange):
        PortRange(10001, 10000)
    with pytest.raises(UnknownCodec, match="'SPEEX'; there are PCMU"):
        MediaManager(ManagerConfig(default_audio_codecs=("SPEEX",)))
    assert virtual.list_sessions() == []


def test_not_started() -> None:
    manager = MediaManager(runtime=VirtualRuntime())
    with pytest.raises(InvalidState, match=r"call start\(\)"):
        manager.create_offer()
    with pytest.raises(InvalidState):
        manager.create_session_from_sdp("v=0")


def test_codec_choices(virtual: MediaManager) -> None:
    """An answer follows the order of the offer: G722+PCMA offered to PCMA+PCMU gives PCMA."""
    for offered, known, agreed in (
        (("PCMU", "PCMA", "G722"), ("PCMU",), "PCMU"),
        (("G722", "PCMA"), ("PCMA", "PCMU"), "PCMA"),
        (("PCMU", "PCMA", "G722"), ("G722", "PCMA"), "PCMA"),
    ):
        caller, offer = virtual.create_offer(SessionConstraints(audio_codecs=offered))
        callee = virtual.create_session_from_sdp(offer)
        caller.set_remote_answer(
            virtual.create_answer(callee.session_id, SessionConstraints(audio_codecs=known))
        )
        assert caller.codec == callee.codec == agreed
        caller.close()
        callee.close()
        assert isinstance(virtual.runtime, VirtualRuntime)
        virtual.runtime.run(0.1)


def test_capabilities_for_options(virtual: MediaManager) -> None:
    description = SessionDescription.parse(virtual.capabilities())
    assert description.media[0].port == 0
    assert description.media[0].formats == ("0", "8", "9", "101")
    assert virtual.list_sessions() == []


def test_statistics_only_while_somebody_listens(virtual: MediaManager) -> None:
    caller, callee = connect(virtual)
    heard: list[str] = []
    handler = caller.on("statistics", lambda event: heard.append(event.session_id))
    assert virtual._report_statistics()
    assert heard == [caller.session_id]
    caller.remove_listener("statistics", handler)
    assert not virtual._report_statistics()
    everyone = virtual.on("statistics", lambda event: heard.append(event.session_id))
    assert virtual._report_statistics()
    assert heard[1:] == [caller.session_id, callee.session_id]
    virtual.remove_listener("statistics", everyone)


def test_frames_of_all_sessions(manager: MediaManager) -> None:
    """`media_received` on the manager counts for the sessions there are and for those to come."""
    heard: set[str] = set()
    done = threading.Event()

    def note(event: Any) -> None:
        heard.add(event.session_id)
        if len(heard) == 2:
            done.set()

    caller, callee = connect(manager)
    manager.on("media_received", note)
    later, latest = connect(manager)
    for session in (caller, later):
        session.write(np.full(800, 1000, np.int16))
    assert done.wait(TIMEOUT_S)
    assert heard == {callee.session_id, latest.session_id}
