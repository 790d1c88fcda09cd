"""Invariants of offer and answer over any two parties and any exchanges between them."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from media.codec import registry
from media.errors import InvalidState, MediaError, NegotiationError
from media.plan import MediaDirection
from media.sdp.attributes import direction_of, formats_of
from media.sdp.description import SessionDescription
from media.sdp.local_audio import LocalAudio
from media.sdp.negotiation import Negotiation, SignalingState

CODECS = [registry.get(*what) for what in (("PCMU",), ("PCMA",), ("G722",), ("L16", 16000), ("L16", 8000))]

PARTIES = st.builds(
    LocalAudio,
    address=st.just("127.0.0.1"),
    port=st.integers(1, 32767).map(lambda n: 2 * n),
    codecs=st.lists(st.sampled_from(CODECS), min_size=1, unique=True).map(tuple),
    direction=st.sampled_from(MediaDirection),
    ptime_ms=st.sampled_from([10, 20, 30, 40, 60]),
    events_payload_type=st.sampled_from([None, 96, 101, 127]),
    prefer_own=st.booleans(),
    one_codec=st.booleans(),
    rtcp_mux=st.booleans(),
    enabled=st.sampled_from([True, True, True, False]),
)

MEDIA_LINES = st.lists(
    st.tuples(
        st.sampled_from(["audio", "audio", "video", "application"]),
        st.sampled_from([0, 4000, 4002, 65535, 99999]),
        st.sampled_from(["RTP/AVP", "RTP/AVPF", "RTP/SAVP", "UDP/TLS/RTP/SAVPF", "udptl"]),
        st.lists(st.sampled_from(["0", "8", "9", "18", "96", "97", "101", "x"]), max_size=5),
        st.lists(
            st.sampled_from(
                [
                    "sendonly", "recvonly", "inactive", "ptime:30", "rtcp-mux", "rtcp:9", "mid:1",
                    "rtpmap:96 L16/16000", "rtpmap:97 L16/16000", "rtpmap:101 telephone-event/8000",
                    "rtpmap:96 telephone-event/16000", "rtpmap:0 PCMA/8000", "fmtp:101 0-16", "crypto:1 x",
                ]
            ),
            max_size=6,
        ),
        st.sampled_from(["", "c=IN IP4 0.0.0.0", "c=IN IP4 192.0.2.1", "c=IN IP6 ::1", "c=IN IP4 224.0.0.1"]),
    ),
    max_size=4,
)  # fmt: skip


@st.composite
def descriptions(draw: st.DrawFn) -> SessionDescription:
    lines = [
        "v=0",
        "o=- 1 1 IN IP4 192.0.2.1",
        "s=-",
        draw(st.sampled_from(["c=IN IP4 192.0.2.1", "i=none"])),
    ]
    for media, port, protocol, formats, attributes, connection in draw(MEDIA_LINES):
        lines.append(" ".join([f"m={media} {port} {protocol}", *formats]))
        lines += [connection] * bool(connection)
        lines += [f"a={attribute}" for attribute in attributes]
    return SessionDescription.parse("\r\n".join(lines))


def exchange(offerer: Negotiation, a: LocalAudio, answerer: Negotiation, b: LocalAudio) -> bool:
    """Offer and answer by way of text; False if it was refused and rolled back."""
    offer = SessionDescription.parse(str(offerer.create_offer(a)))
    answerer.set_remote_offer(offer)
    try:
        answer = SessionDescription.parse(str(answerer.create_answer(b)))
    except NegotiationError:
        answerer.rollback()
        offerer.rollback()
        return False
    offerer.set_remote_answer(answer)
    return True


@settings(deadline=None)
@given(PARTIES, PARTIES)
def test_two_of_us_agree(a: LocalAudio, b: LocalAudio) -> None:
    alice, bob = Negotiation(1), Negotiation(2)
    common = {codec.name for codec in a.codecs if codec in b.codecs}
    if not exchange(alice, a, bob, b):
        assert not common
        assert a.enabled
        assert b.enabled
        return
    assert alice.local is not None
    assert alice.remote is not None
    assert len(alice.local.media) == len(alice.remote.media)
    if alice.audio is None or bob.audio is None:
        assert not (a.enabled and b.enabled)
        assert alice.audio is bob.audio is None
        return
    assert alice.audio.direction is bob.audio.direction.reversed
    for one, other, party in ((alice.audio, bob.audio, b), (bob.audio, alice.audio, a)):
        assert other.receive_codecs[one.send_payload_type] == one.send_codec
        if one.send_codec.clock_rate_hz == other.send_codec.clock_rate_hz:
            assert one.telephone_event_send in (None, other.telephone_event_receive)
        assert one.ptime_ms == party.ptime_ms
        assert one.remote_rtp == (party.address, party.port)
        assert one.rtcp_mux == (a.rtcp_mux and b.rtcp_mux)
        assert not one.direction.sends or party.direction.receives
        assert not one.direction.receives or party.direction.sends


@settings(deadline=None)
@given(descriptions(), PARTIES)
def test_answer_to_any_offer(offer: SessionDescription, local: LocalAudio) -> None:
    """As many lines, of the same kinds, with the offer's numbers, at most one live; else it is as before."""
    machine = Negotiation(1)
    machine.set_remote_offer(offer)
    try:
        answer = machine.create_answer(local)
    except NegotiationError:
        assert machine.state is SignalingState.HAVE_REMOTE_OFFER
        machine.rollback()
        assert (machine.local, machine.remote, machine.audio, machine.agreed) == (None, None, None, False)
        return
    assert [(line.media, line.protocol) for line in answer.media] == [
        (line.media, line.protocol) for line in offer.media
    ]
    live = [index for index, line in enumerate(answer.media) if not line.refused]
    assert live == ([machine.audio.index] if machine.audio else [])
    for index in live:
        assert not offer.media[index].refused
        assert set(answer.media[index].formats) <= set(offer.media[index].formats)
        offered = {entry.payload_type: entry.encoding for entry in formats_of(offer.media[index])}
        for entry in formats_of(answer.media[index]):
            assert offered[entry.payload_type].upper() == entry.encoding.upper()
        theirs, ours = direction_of(offer.media[index], offer), direction_of(answer.media[index], answer)
        assert not ours.sends or theirs.receives
        assert not ours.receives or theirs.sends
        assert machine.audio is not None
        assert ours is machine.audio.direction
    assert SessionDescription.parse(str(answer)) == answer


@settings(deadline=None)
@given(descriptions(), PARTIES)
def test_any_answer_is_taken_or_refused(answer: SessionDescription, local: LocalAudio) -> None:
    machine = Negotiation(1)
    offer = machine.create_offer(local)
    try:
        machine.set_remote_answer(answer)
    except NegotiationError:
        assert machine.state is SignalingState.HAVE_LOCAL_OFFER
        assert machine.local is offer
        assert machine.remote is None
        return
    assert machine.state is SignalingState.STABLE
    if machine.audio is not None:
        assert machine.audio.send_codec in local.codecs
        assert set(machine.audio.receive_codecs.values()) <= set(local.codecs)


@settings(deadline=None)
@given(st.lists(descriptions(), max_size=4), PARTIES)
def test_our_offer_after_any_offers_of_theirs(offers: list[SessionDescription], local: LocalAudio) -> None:
    """However they number their codecs, and number them anew: ours have a number each."""
    machine = Negotiation(1)
    for offer in offers:
        machine.set_remote_offer(offer)
        try:
            machine.create_answer(local)
        except NegotiationError:
            machine.rollback()
    ours = machine.create_offer(local)
    for line in ours.media:
        if not line.refused:
            assert len(set(line.formats)) == len(line.formats) == len(formats_of(line))


STEPS = st.lists(st.tuples(st.booleans(), PARTIES, PARTIES, st.booleans()), max_size=5)


@settings(deadline=None)
@given(STEPS)
def test_a_life_of_offers(steps: list[tuple[bool, LocalAudio, LocalAudio, bool]]) -> None:
    """Whoever offers whatever, failed or not: versions grow where something changed, numbers keep their
    meaning, lines keep their places, and a rollback leaves what was agreed."""
    machines = Negotiation(1), Negotiation(2)
    agreed: dict[Negotiation, list[SessionDescription]] = {machine: [] for machine in machines}
    meanings: dict[tuple[Negotiation, int], str] = {}
    for swap, a, b, give_up in steps:
        offerer, answerer = machines[::-1] if swap else machines
        before = [(machine.local, machine.remote, machine.audio) for machine in machines]
        if give_up:
            offerer.create_offer(a)
            offerer.rollback()
            assert [(m.local, m.remote, m.audio) for m in machines] == before
        elif exchange(offerer, a, answerer, b):
            for machine in machines:
                assert machine.local is not None
                if machine.audio is not None:
                    agreed[machine].append(machine.local)
        else:
            assert [(m.local, m.remote, m.audio) for m in machines] == before
            assert offerer.state is answerer.state is SignalingState.STABLE
    for machine, texts in agreed.items():
        for text in texts:
            for line in text.media:
                for entry in formats_of(line):
                    if line.refused:
                        continue
                    label = f"{entry.encoding}/{entry.clock_rate_hz}"
                    assert meanings.setdefault((machine, entry.payload_type), label) == label
        for one, other in itertools.pairwise(texts):
            assert one.origin is not None
            assert other.origin is not None
            grown = int(other.origin.session_version) - int(one.origin.session_version)
            assert grown > 0 or one == other
            assert len(one.media) <= len(other.media)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["offer", "answer", "theirs", "their answer", "rollback"]), max_size=8), PARTIES
)
def test_no_order_of_calls_breaks_it(calls: list[str], local: LocalAudio) -> None:
    machine = Negotiation(1)
    theirs = SessionDescription.parse("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0 8 9\r\n")
    for call in calls:
        state = machine.state
        try:
            if call == "offer":
                machine.create_offer(local)
            elif call == "answer":
                machine.create_answer(local)
            elif call == "theirs":
                machine.set_remote_offer(theirs)
            elif call == "their answer":
                machine.set_remote_answer(theirs)
            else:
                machine.rollback()
        except InvalidState:
            assert machine.state is state
        except MediaError:
            assert machine.state is state
