"""media/sdp/negotiation.py and matching.py: offers, answers, and what they settle (RFC 3264)."""

import itertools
from typing import Any

import pytest

from media.codec import registry
from media.errors import BadAnswer, InvalidState, MediaRefused, NoCommonCodec
from media.plan import MediaDirection
from media.sdp.description import SessionDescription
from media.sdp.local_audio import LocalAudio
from media.sdp.negotiation import TRANSITIONS, Negotiation, SignalingState, _Input

SENDRECV, SENDONLY = MediaDirection.SENDRECV, MediaDirection.SENDONLY
RECVONLY, INACTIVE = MediaDirection.RECVONLY, MediaDirection.INACTIVE


def local(*codecs: str, port: int = 10000, **settings: Any) -> LocalAudio:
    found = tuple(registry.get(*_split(name)) for name in codecs or ("PCMU", "PCMA", "G722"))
    settings.setdefault("address", "127.0.0.1")
    return LocalAudio(port=port, codecs=found, **settings)


def _split(name: str) -> tuple[str, int | None]:
    encoding, _, rate = name.partition("/")
    return encoding, int(rate) if rate else None


def sdp(*media: str, address: str | None = "192.0.2.7", session: str = "") -> SessionDescription:
    """A peer's description; each media line is "audio 4000 RTP/AVP 0 8|rtpmap:...|sendonly"."""
    lines = ["v=0", "o=- 7 7 IN IP4 192.0.2.7", "s=-"]
    if address:
        lines.append(f"c=IN {'IP6' if ':' in address else 'IP4'} {address}")
    lines += ["t=0 0", *(f"a={value}" for value in session.split("|") if value)]
    for line in media:
        head, *attributes = line.split("|")
        lines += [f"m={head}", *(a if a[1:2] == "=" else f"a={a}" for a in attributes)]
    return SessionDescription.parse("\r\n".join(lines))


def answer_to(
    offer: SessionDescription, ours: LocalAudio | None = None
) -> tuple[Negotiation, SessionDescription]:
    machine = Negotiation(1)
    machine.set_remote_offer(offer)
    return machine, machine.create_answer(ours or local())


def connect(a: LocalAudio, b: LocalAudio) -> tuple[Negotiation, Negotiation]:
    """Two machines after an offer from the first and the answer of the second, by way of text."""
    alice, bob = Negotiation(1), Negotiation(2)
    exchange(alice, a, bob, b)
    return alice, bob


def exchange(offerer: Negotiation, a: LocalAudio, answerer: Negotiation, b: LocalAudio) -> None:
    answerer.set_remote_offer(SessionDescription.parse(str(offerer.create_offer(a))))
    offerer.set_remote_answer(SessionDescription.parse(str(answerer.create_answer(b))))


def version(description: SessionDescription | None) -> str:
    assert description is not None
    assert description.origin is not None
    return description.origin.session_version


# --- the table ---


def test_every_pair_of_state_and_input() -> None:
    """What is in the table goes where the table says; all else is refused and changes nothing."""
    for state, what in itertools.product(SignalingState, _Input):
        machine = Negotiation(1)
        if state is SignalingState.HAVE_LOCAL_OFFER:
            machine.create_offer(local())
        elif state is SignalingState.HAVE_REMOTE_OFFER:
            machine.set_remote_offer(sdp("audio 4000 RTP/AVP 0"))
        expected = TRANSITIONS.get((state, what))
        before = (machine.local, machine.remote)
        if expected is None:
            with pytest.raises(InvalidState, match=state.value):
                feed(machine, what)
            assert (machine.state, machine.local, machine.remote) == (state, *before)
        else:
            feed(machine, what)
            assert machine.state is expected


def feed(machine: Negotiation, what: _Input) -> None:
    match what:
        case _Input.LOCAL_OFFER:
            machine.create_offer(local())
        case _Input.REMOTE_OFFER:
            machine.set_remote_offer(sdp("audio 4000 RTP/AVP 0"))
        case _Input.LOCAL_ANSWER:
            machine.create_answer(local())
        case _Input.REMOTE_ANSWER:
            machine.set_remote_answer(sdp("audio 4000 RTP/AVP 0"))
        case _Input.ROLLBACK:
            machine.rollback()


# --- offer and answer ---


def test_offer_as_text() -> None:
    offer = Negotiation(42, user_name="alice").create_offer(local("PCMU", "L16/16000"))
    assert str(offer) == (
        "v=0\r\no=alice 42 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        "m=audio 10000 RTP/AVP 0 96 101 97\r\n"
        "a=rtpmap:0 PCMU/8000\r\na=rtpmap:96 L16/16000\r\n"
        "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
        "a=rtpmap:97 telephone-event/16000\r\na=fmtp:97 0-15\r\n"
        "a=ptime:20\r\na=sendrecv\r\n"
    )


def test_ipv6() -> None:
    offer = Negotiation(1).create_offer(local(address="::1"))
    assert offer.origin is not None
    assert (offer.origin.address_type, offer.origin.address) == ("IP6", "::1")
    assert str(offer.connection) == "IN IP6 ::1"
    machine, _ = answer_to(sdp("audio 4000 RTP/AVP 0", address="2001:db8::7"), local(address="::1"))
    assert machine.audio is not None
    assert machine.audio.remote_rtp == ("2001:db8::7", 4000)


def test_both_ends_agree() -> None:
    alice, bob = connect(local(port=10000), local("PCMA", "PCMU", port=10002))
    assert alice.audio is not None
    assert bob.audio is not None
    assert alice.audio.send_codec.name == bob.audio.send_codec.name == "PCMU"
    assert alice.audio.send_payload_type == bob.audio.send_payload_type == 0
    assert alice.audio.remote_rtp == ("127.0.0.1", 10002)
    assert bob.audio.remote_rtp == ("127.0.0.1", 10000)
    assert alice.audio.telephone_event_send == bob.audio.telephone_event_receive == 101
    assert set(bob.audio.receive_codecs) == {0, 8}
    assert set(alice.audio.receive_codecs) == {0, 8, 9}
    assert alice.agreed
    assert bob.agreed


def test_answer_follows_the_offers_order_and_numbers() -> None:
    machine, answer = answer_to(
        sdp("audio 4000 RTP/AVP 98 8 0 96|rtpmap:98 L16/16000|rtpmap:96 telephone-event/8000|fmtp:96 0-16"),
        local("PCMU", "PCMA", "L16/16000"),
    )
    (line,) = answer.media
    assert line.formats == ("98", "8", "0", "96")
    assert line.attribute("rtpmap") == "98 L16/16000"
    assert line.attribute("fmtp") == "96 0-15"
    assert machine.audio is not None
    assert machine.audio.send_codec.name == "L16"
    assert machine.audio.send_payload_type == 98
    assert machine.audio.telephone_event_send == 96  # not the clock of L16, but all that they have
    assert machine.audio.telephone_event_clock_hz == 8000


def test_opus_with_what_belongs_to_it() -> None:
    alice, bob = Negotiation(1), Negotiation(2)
    offer = alice.create_offer(local("opus", ptime_ms=30))
    (line,) = offer.media
    assert [value for _, value in line.attributes("rtpmap")] == [
        "96 opus/48000/2",
        "101 telephone-event/48000",
        "97 telephone-event/8000",
    ]
    assert [value for _, value in line.attributes("fmtp")] == ["96 useinbandfec=1", "101 0-15", "97 0-15"]
    bob.set_remote_offer(offer)
    alice.set_remote_answer(bob.create_answer(local("opus")))
    for machine in (alice, bob):
        assert machine.audio is not None
        assert machine.audio.send_codec.peer_fmtp == "useinbandfec=1"
        assert machine.audio.receive_codecs == {96: registry.get("opus")}
        assert (machine.audio.telephone_event_send, machine.audio.telephone_event_clock_hz) == (101, None)
    assert alice.audio is not None
    assert bob.audio is not None
    assert (alice.audio.ptime_ms, bob.audio.ptime_ms) == (20, 20)  # no packets of 30 ms with Opus


def test_opus_of_a_device_whose_events_run_at_8000() -> None:
    attributes = (
        "rtpmap:111 opus/48000/2|fmtp:111 maxaveragebitrate=20000;stereo=0|rtpmap:101 telephone-event/8000"
    )
    machine, answer = answer_to(sdp(f"audio 4000 RTP/AVP 111 101|{attributes}"), local("opus"))
    assert answer.media[0].formats == ("111", "101")
    assert machine.audio is not None
    assert machine.audio.send_codec.peer_fmtp == "maxaveragebitrate=20000;stereo=0"
    assert (machine.audio.telephone_event_receive, machine.audio.telephone_event_clock_hz) == (101, 8000)


def test_comfort_noise_when_both_wish_it() -> None:
    a, b = Negotiation(1), Negotiation(2)
    wish = local("PCMU", comfort_noise=True, silence_suppression=True)
    offer = a.create_offer(wish)
    assert offer.media[0].formats == ("0", "13", "101")
    assert a.offered_noise == 13
    b.set_remote_offer(offer)
    a.set_remote_answer(b.create_answer(local("PCMU", comfort_noise=True)))
    assert a.audio is not None
    assert b.audio is not None
    assert (a.audio.comfort_noise_send, a.audio.comfort_noise_receive) == (13, 13)
    assert (b.audio.comfort_noise_send, b.audio.comfort_noise_receive) == (None, 13)
    exchange(a, wish, b, local("PCMU"))
    assert a.audio.comfort_noise_send is None
    assert a.audio.receive_codecs == {0: registry.get("PCMU")}
    assert Negotiation(1).create_offer(local("opus", comfort_noise=True)).media[0].formats == (
        "96",
        "101",
        "97",
    )


def test_comfort_noise_alone_is_no_codec() -> None:
    with pytest.raises(MediaRefused, match="carries CN only"):
        answer_to(sdp("audio 4000 RTP/AVP 13"), local(comfort_noise=True))


def test_our_order_on_request() -> None:
    offer = sdp("audio 4000 RTP/AVP 8 0 101|rtpmap:101 telephone-event/8000")
    assert answer_to(offer, local(prefer_own=True))[1].media[0].formats == ("0", "8", "101")
    assert answer_to(offer, local(one_codec=True))[1].media[0].formats == ("8", "101")
    assert answer_to(offer, local(one_codec=True, prefer_own=True))[1].media[0].formats == ("0", "101")


def test_codecs_stand_first_in_an_answer() -> None:
    """Devices that take the first format of an answer for the codec would send telephone-events as speech."""
    offer = sdp("audio 4000 RTP/AVP 13 102 8 0|rtpmap:102 telephone-event/8000")
    assert answer_to(offer, local(comfort_noise=True))[1].media[0].formats == ("8", "0", "13", "102")


def test_media_in_capitals() -> None:
    machine, answer = answer_to(sdp("AUDIO 4000 rtp/avp 0"))
    assert machine.audio is not None
    assert answer.media[0].port == 10000
    machine.create_offer(local())
    machine.set_remote_answer(sdp("audio 4000 RTP/AVP 0"))
    assert machine.audio is not None


def test_offerer_sends_the_first_of_the_answer() -> None:
    machine = Negotiation(1)
    machine.create_offer(local())
    machine.set_remote_answer(sdp("audio 4000 RTP/AVP 18 8 0"))
    assert machine.audio is not None
    assert (machine.audio.send_codec.name, machine.audio.send_payload_type) == ("PCMA", 8)


def test_answer_with_numbers_of_its_own() -> None:
    """RFC 3264 section 6.1 allows it: we send with theirs, and take both."""
    machine = Negotiation(1)
    offer = machine.create_offer(local("L16/16000", events_payload_type=None))
    assert offer.media[0].formats == ("96",)
    machine.set_remote_answer(sdp("audio 4000 RTP/AVP 110|rtpmap:110 L16/16000"))
    assert machine.audio is not None
    assert machine.audio.send_payload_type == 110
    assert set(machine.audio.receive_codecs) == {96, 110}


def test_answer_without_rtpmap_means_what_the_offer_meant() -> None:
    machine = Negotiation(1)
    machine.create_offer(local("L16/16000"))
    machine.set_remote_answer(sdp("audio 4000 RTP/AVP 96 101"))
    assert machine.audio is not None
    assert machine.audio.send_codec.name == "L16"


@pytest.mark.parametrize(
    ("fmtp", "answered"), [("0-16", "0-15"), ("0-11,66", "0-11"), ("66", "0-15"), (None, None)]
)
def test_telephone_events_we_know(fmtp: str | None, answered: str | None) -> None:
    attributes = "|rtpmap:101 telephone-event/8000" + (f"|fmtp:101 {fmtp}" if fmtp else "")
    _, answer = answer_to(sdp(f"audio 4000 RTP/AVP 0 101{attributes}"))
    assert answer.media[0].attribute("fmtp") == (f"101 {answered}" if answered else None)


def test_without_telephone_event() -> None:
    machine, answer = answer_to(
        sdp("audio 4000 RTP/AVP 0 101|rtpmap:101 telephone-event/8000"), local(events_payload_type=None)
    )
    assert answer.media[0].formats == ("0",)
    assert machine.audio is not None
    assert machine.audio.telephone_event_receive is None


@pytest.mark.parametrize(
    ("attributes", "ours", "expected"),
    [
        ("ptime:30", 20, 30),
        ("ptime:25", 20, 20),
        ("ptime:0.125", 20, 10),
        ("ptime:200", 20, 60),
        ("maxptime:10", 20, 10),
        ("maxptime:5", 20, 10),
        ("ptime:60|maxptime:40", 20, 40),
        ("", 40, 40),
    ],
)
def test_packet_times(attributes: str, ours: int, expected: int) -> None:
    machine, answer = answer_to(sdp(f"audio 4000 RTP/AVP 0|{attributes}"), local(ptime_ms=ours))
    assert machine.audio is not None
    assert machine.audio.ptime_ms == expected
    assert answer.media[0].attribute("ptime") == str(ours)


# --- directions and hold ---


@pytest.mark.parametrize(
    ("offered", "wanted", "answered"),
    [
        (SENDRECV, SENDRECV, SENDRECV),
        (SENDRECV, RECVONLY, RECVONLY),
        (SENDRECV, INACTIVE, INACTIVE),
        (SENDONLY, SENDRECV, RECVONLY),
        (SENDONLY, SENDONLY, INACTIVE),
        (RECVONLY, SENDRECV, SENDONLY),
        (RECVONLY, RECVONLY, INACTIVE),
        (INACTIVE, SENDRECV, INACTIVE),
    ],
)
def test_directions(offered: MediaDirection, wanted: MediaDirection, answered: MediaDirection) -> None:
    machine, answer = answer_to(sdp(f"audio 4000 RTP/AVP 0|{offered.value}"), local(direction=wanted))
    assert answer.media[0].has(answered.value)
    assert machine.audio is not None
    assert machine.audio.direction is answered
    other = Negotiation(2)
    other.create_offer(local(direction=offered))
    other.set_remote_answer(answer)
    assert other.audio is not None
    assert other.audio.direction is answered.reversed


@pytest.mark.parametrize(
    ("attribute", "answered"),
    [
        ("", RECVONLY),
        ("sendrecv", RECVONLY),
        ("sendonly", RECVONLY),
        ("recvonly", INACTIVE),
        ("inactive", INACTIVE),
    ],
)
@pytest.mark.parametrize("address", ["0.0.0.0", "::", "hold.invalid"])
def test_hold_the_old_way(attribute: str, answered: MediaDirection, address: str) -> None:
    """RFC 3264 section 8.4: to 0.0.0.0 nothing is sent."""
    machine, answer = answer_to(sdp(f"audio 4000 RTP/AVP 0|{attribute}", address=address))
    assert machine.audio is not None
    assert machine.audio.remote_rtp is None
    assert machine.audio.direction is answered
    assert answer.media[0].has(answered.value)
    assert answer.media[0].port == 10000


def test_session_level_direction() -> None:
    machine, _ = answer_to(sdp("audio 4000 RTP/AVP 0", session="inactive"))
    assert machine.audio is not None
    assert machine.audio.direction is INACTIVE


def test_hold_and_resume() -> None:
    a, b = local(port=10000), local(port=10002)
    alice, bob = connect(a, b)
    exchange(alice, local(port=10000, direction=SENDONLY), bob, b)
    assert alice.audio is not None
    assert bob.audio is not None
    assert (alice.audio.direction, bob.audio.direction) == (SENDONLY, RECVONLY)
    assert (version(alice.local), version(bob.local)) == ("2", "2")
    exchange(alice, a, bob, b)
    assert (alice.audio.direction, bob.audio.direction) == (SENDRECV, SENDRECV)


# --- addresses ---


@pytest.mark.parametrize(
    ("attributes", "rtp", "rtcp"),
    [
        ("", ("192.0.2.7", 4000), None),
        ("rtcp:4001", ("192.0.2.7", 4000), None),
        ("rtcp:5001", ("192.0.2.7", 4000), ("192.0.2.7", 5001)),
        ("rtcp:5001 IN IP4 192.0.2.8", ("192.0.2.7", 4000), ("192.0.2.8", 5001)),
        ("rtcp:5001 IN IP6 ::1", ("192.0.2.7", 4000), ("192.0.2.7", 5001)),
        ("c=IN IP4 192.0.2.9", ("192.0.2.9", 4000), None),
    ],
)
def test_where_to_send(attributes: str, rtp: tuple[str, int], rtcp: tuple[str, int] | None) -> None:
    machine, _ = answer_to(sdp(f"audio 4000 RTP/AVP 0|{attributes}"))
    assert machine.audio is not None
    assert (machine.audio.remote_rtp, machine.audio.remote_rtcp) == (rtp, rtcp)


def test_host_name_waits_for_the_peers_packets() -> None:
    machine, _ = answer_to(sdp("audio 4000 RTP/AVP 0", address="host.example.com"))
    assert machine.audio is not None
    assert machine.audio.remote_rtp is None
    assert machine.audio.direction is SENDRECV


def test_reduced_size_rtcp_when_both_want_it() -> None:
    offer = sdp("audio 4000 RTP/AVP 0|rtcp-rsize")
    for wanted in (False, True):
        machine, answer = answer_to(offer, local(rtcp_reduced_size=wanted))
        assert machine.audio is not None
        assert machine.audio.rtcp_reduced_size == answer.media[0].has("rtcp-rsize") == wanted
    assert Negotiation(1).create_offer(local(rtcp_reduced_size=True)).media[0].has("rtcp-rsize")


def test_rtcp_mux_when_both_want_it() -> None:
    offer = sdp("audio 4000 RTP/AVP 0|rtcp-mux")
    machine, answer = answer_to(offer, local(rtcp_mux=True))
    assert answer.media[0].has("rtcp-mux")
    assert machine.audio is not None
    assert machine.audio.rtcp_mux
    assert machine.audio.remote_rtcp == ("192.0.2.7", 4000)
    machine, answer = answer_to(offer)
    assert not answer.media[0].has("rtcp-mux")
    assert machine.audio is not None
    assert not machine.audio.rtcp_mux
    assert Negotiation(1).create_offer(local(rtcp_mux=True)).media[0].has("rtcp-mux")


# --- several lines, refusals ---


def test_video_keeps_its_place_with_port_0() -> None:
    _, answer = answer_to(
        sdp("video 5000 RTP/AVP 31|rtpmap:31 H261/90000", "audio 4000 RTP/AVP 0", "application 9 TCP/MSRP *")
    )
    assert [(line.media, line.port, line.protocol) for line in answer.media] == [
        ("video", 0, "RTP/AVP"),
        ("audio", 10000, "RTP/AVP"),
        ("application", 0, "TCP/MSRP"),
    ]
    assert answer.media[0].formats == ("31",)
    assert answer.media[2].formats == ("*",)


def test_first_usable_audio_line() -> None:
    machine, answer = answer_to(
        sdp(
            "audio 4000 RTP/SAVP 0|crypto:1 x",
            "audio 4002 RTP/AVP 18",
            "audio 4004 RTP/AVP 0",
            "audio 6 RTP/AVP 0",
        )
    )
    assert [line.port for line in answer.media] == [0, 0, 10000, 0]
    assert machine.audio is not None
    assert machine.audio.index == 2


@pytest.mark.parametrize(
    "profile", ["RTP/SAVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF", "udptl", "TCP/RTP/AVP"]
)
def test_profiles_we_refuse(profile: str) -> None:
    with pytest.raises(MediaRefused) as caught:
        answer_to(sdp(f"audio 4000 {profile} 0"))
    assert profile in str(caught.value)


def test_feedback_profile_is_answered_as_it_is() -> None:
    machine, answer = answer_to(sdp("audio 4000 RTP/AVPF 0|rtcp-fb:0 nack"))
    assert answer.media[0].protocol == "RTP/AVPF"
    assert not answer.media[0].has("rtcp-fb")
    exchange(machine, local("PCMA"), connect(local(), local())[1], local())
    assert machine.local is not None
    assert machine.local.media[0].protocol == "RTP/AVPF"


def test_optional_encryption_is_answered_in_the_clear() -> None:
    _, answer = answer_to(sdp("audio 4000 RTP/AVP 0|crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x"))
    assert not answer.media[0].has("crypto")


def test_bundles_are_not_echoed() -> None:
    _, answer = answer_to(
        sdp(
            "audio 4000 RTP/AVP 0|mid:0|ice-ufrag:x|rtcp-mux",
            "video 4000 RTP/AVP 96|mid:1",
            session="group:BUNDLE 0 1",
        )
    )
    assert not answer.has("group")
    assert not any(line.has("mid") or line.has("ice-ufrag") for line in answer.media)


def test_no_common_codec_names_both_lists() -> None:
    with pytest.raises(NoCommonCodec) as caught:
        answer_to(
            sdp("audio 4000 RTP/AVP 18 4 97 101|rtpmap:97 iLBC/8000|rtpmap:101 telephone-event/8000"),
            local("PCMU"),
        )
    assert caught.value.ours == ("PCMU",)
    assert caught.value.theirs == ("G729", "G723", "iLBC")


@pytest.mark.parametrize(
    ("media", "address", "reason"),
    [
        ("video 4000 RTP/AVP 31", "192.0.2.7", "line 1 (video 4000 RTP/AVP) is video, we do audio only"),
        ("audio 70000 RTP/AVP 0", "192.0.2.7", "has no valid port"),
        ("audio 4000 RTP/AVP 0", None, "has no c= line"),
        ("audio 4000 RTP/AVP 0", "224.2.1.1/127", "is sent to the group 224.2.1.1"),
        ("audio 4000 RTP/AVP 0", "255.255.255.255", "is sent to the group"),
        ("audio 4000 RTP/AVP 0", "2001:db8::1", "cannot reach (IPv4 and IPv6)"),
        (
            "audio 4000 RTP/AVP 101|rtpmap:101 telephone-event/8000",
            "192.0.2.7",
            "carries telephone-event only",
        ),
        ("audio 4000 RTP/AVP", "192.0.2.7", "line 1 names no format"),
    ],
)
def test_nothing_usable(media: str, address: str | None, reason: str) -> None:
    machine = Negotiation(1)
    machine.set_remote_offer(sdp(media, address=address))
    with pytest.raises(MediaRefused) as caught:
        machine.create_answer(local())
    assert reason in str(caught.value)
    assert machine.state is SignalingState.HAVE_REMOTE_OFFER


@pytest.mark.parametrize("media", [(), ("audio 0 RTP/AVP 0",), ("audio 0 RTP/AVP 0", "video 0 RTP/AVP 31")])
def test_offer_of_nothing_is_answered(media: tuple[str, ...]) -> None:
    machine, answer = answer_to(sdp(*media))
    assert [line.port for line in answer.media] == [0] * len(media)
    assert machine.audio is None
    assert machine.agreed


def test_checked_before_answered() -> None:
    """A phone checks before it rings; what it answers with later may be something else."""
    machine = Negotiation(1)
    with pytest.raises(InvalidState):
        machine.check_answer(local())
    machine.set_remote_offer(sdp("audio 4000 RTP/AVP 8 0"))
    with pytest.raises(NoCommonCodec):
        machine.check_answer(local("G722"))
    machine.check_answer(local())
    machine.check_answer(local(enabled=False))
    assert machine.state is SignalingState.HAVE_REMOTE_OFFER
    branch = machine.fork()
    assert branch.create_answer(local()).media[0].formats == ("8", "0")
    assert machine.create_answer(local("PCMU")).media[0].formats == ("0",)


# --- again ---


def test_lines_added_and_removed_in_a_new_offer() -> None:
    machine, _ = answer_to(sdp("audio 4000 RTP/AVP 0"))
    machine.set_remote_offer(sdp("audio 4000 RTP/AVP 0", "video 5000 RTP/AVP 31"))
    assert [line.port for line in machine.create_answer(local()).media] == [10000, 0]
    assert [line.port for line in machine.create_offer(local()).media] == [10000, 0]
    machine.rollback()
    machine.set_remote_offer(sdp("audio 0 RTP/AVP 0", "video 0 RTP/AVP 31"))
    assert [line.port for line in machine.create_answer(local()).media] == [0, 0]
    assert machine.audio is None
    offer = machine.create_offer(local())
    assert [(line.media, line.port) for line in offer.media] == [("audio", 10000), ("video", 0)]


def test_the_line_in_use_is_kept() -> None:
    machine, _ = answer_to(sdp("audio 4000 RTP/AVP 18", "audio 4002 RTP/AVP 0"))
    machine.set_remote_offer(sdp("audio 4000 RTP/AVP 0", "audio 4002 RTP/AVP 0"))
    assert [line.port for line in machine.create_answer(local()).media] == [0, 10000]


def test_versions_grow_by_one_when_something_changed() -> None:
    alice, bob = connect(local(), local(port=10002))
    assert version(alice.local) == version(bob.local) == "1"
    exchange(alice, local(), bob, local(port=10002))
    assert version(alice.local) == version(bob.local) == "1"
    exchange(bob, local("PCMU", port=10002), alice, local())
    assert version(alice.local) == version(bob.local) == "2"
    assert alice.local is not None
    assert alice.local.origin is not None
    assert alice.local.origin.session_id == "1"


def test_version_goes_on_after_a_rollback() -> None:
    alice, _ = connect(local(), local(port=10002))
    assert version(alice.create_offer(local(direction=SENDONLY))) == "2"
    alice.rollback()
    assert version(alice.local) == "1"
    assert version(alice.create_offer(local())) == "3"  # differs from what was sent last


def test_payload_types_keep_their_meaning() -> None:
    maps = "rtpmap:97 iLBC/8000|rtpmap:96 telephone-event/8000|rtpmap:111 L16/8000"
    machine, _ = answer_to(sdp(f"audio 4000 RTP/AVP 0 97 96 111|{maps}"))
    offer = machine.create_offer(local("PCMU", "PCMA", "L16/8000", "L16/16000"))
    mapped = dict(value.split() for _, value in offer.media[0].attributes("rtpmap") if value)
    assert mapped["0"] == "PCMU/8000"
    assert mapped["96"] == "telephone-event/8000"
    assert mapped["8"] == "PCMA/8000"
    assert "97" not in mapped  # was iLBC
    assert mapped.get("111", "L16/8000") == "L16/8000"


def test_payload_types_are_the_same_in_every_offer_of_a_session() -> None:
    alice, bob = Negotiation(1), Negotiation(2)
    names = ["L16/16000", "PCMU", "L16/8000"]
    seen: dict[str, str] = {}
    for codecs in itertools.permutations(names):
        exchange(alice, local(*codecs), bob, local(*names, port=10002))
        for machine in (alice, bob):
            assert machine.local is not None
            for _, value in machine.local.media[0].attributes("rtpmap"):
                number, what = (value or "").split()
                assert seen.setdefault(what, number) == number


def test_peer_that_uses_up_all_numbers() -> None:
    numbers = [*range(35, 64), *range(96, 128)]
    maps = "|".join(f"rtpmap:{number} x{number}/8000" for number in numbers)
    machine, _ = answer_to(sdp(f"audio 4000 RTP/AVP 0 {' '.join(map(str, numbers))}|{maps}"))
    offer = machine.create_offer(local("PCMU", "L16/16000"))
    assert len(set(offer.media[0].formats)) == 4


def test_rollback_and_glare() -> None:
    alice, bob = connect(local(), local(port=10002))
    agreed = alice.audio
    alice.create_offer(local("PCMA"))
    with pytest.raises(InvalidState, match="rollback"):
        alice.set_remote_offer(sdp("audio 4000 RTP/AVP 0"))
    alice.rollback()
    assert alice.audio is agreed
    bob.set_remote_offer(sdp("audio 4000 RTP/AVP 18"))
    with pytest.raises(NoCommonCodec):
        bob.create_answer(local())
    bob.rollback()
    assert bob.state is SignalingState.STABLE
    assert bob.audio is not None


def test_audio_switched_off_by_us() -> None:
    alice, bob = connect(local(), local(port=10002))
    exchange(alice, local(enabled=False), bob, local(port=10002))
    assert alice.audio is None
    assert bob.audio is None
    machine, answer = answer_to(sdp("audio 4000 RTP/AVP 0"), local(enabled=False))
    assert answer.media[0].port == 0
    assert machine.audio is None
    assert Negotiation(1).create_offer(local(enabled=False)).media == ()


def test_a_peer_that_gives_a_number_a_new_meaning() -> None:
    """Found by the model: our next offer named 96 twice."""
    machine, both = Negotiation(1), local("L16/16000", "L16/8000")
    for rate in (16000, 8000):
        machine.set_remote_offer(sdp(f"audio 4000 RTP/AVP 96|rtpmap:96 L16/{rate}"))
        machine.create_answer(both)
        assert machine.audio is not None
        assert machine.audio.receive_codecs[96].clock_rate_hz == rate
    line = machine.create_offer(both).media[0]
    assert len(set(line.formats)) == len(line.formats) == 4


def test_fork_goes_its_own_way() -> None:
    machine = Negotiation(1)
    machine.create_offer(local())
    branch = machine.fork()
    branch.set_remote_answer(sdp("audio 4000 RTP/AVP 8"))
    assert machine.state is SignalingState.HAVE_LOCAL_OFFER
    machine.set_remote_answer(sdp("audio 5000 RTP/AVP 0"))
    assert branch.audio is not None
    assert machine.audio is not None
    assert (branch.audio.send_payload_type, machine.audio.send_payload_type) == (8, 0)


# --- answers that do not fit ---


@pytest.mark.parametrize(
    ("media", "reason"),
    [
        ((), "it has no line 1 (audio)"),
        (("audio 4000 RTP/AVP 0", "video 5000 RTP/AVP 31"), "it has 2 media lines, we offered 1"),
        (("video 4000 RTP/AVP 31",), "its line 1 is video, we offered audio"),
        (("audio 4000 RTP/SAVP 0",), "its line 1 is RTP/SAVP, we offered RTP/AVP"),
        (("audio 70000 RTP/AVP 0",), "has no valid port"),
    ],
)
def test_bad_answers(media: tuple[str, ...], reason: str) -> None:
    machine = Negotiation(1)
    offer = machine.create_offer(local())
    with pytest.raises(BadAnswer) as caught:
        machine.set_remote_answer(sdp(*media))
    assert reason in str(caught.value)
    assert machine.state is SignalingState.HAVE_LOCAL_OFFER
    assert machine.local is offer
    assert not machine.agreed


def test_answer_with_no_codec_of_ours() -> None:
    machine = Negotiation(1)
    machine.create_offer(local("PCMU", "PCMA"))
    with pytest.raises(NoCommonCodec) as caught:
        machine.set_remote_answer(sdp("audio 4000 RTP/AVP 18 101|rtpmap:101 telephone-event/8000"))
    assert (caught.value.ours, caught.value.theirs) == (("PCMU", "PCMA"), ("G729",))


def test_answer_that_revives_a_refused_line() -> None:
    machine, _ = answer_to(sdp("audio 4000 RTP/AVP 0", "video 5000 RTP/AVP 31"))
    machine.create_offer(local())
    with pytest.raises(BadAnswer, match="offered it with port 0"):
        machine.set_remote_answer(sdp("audio 4000 RTP/AVP 0", "video 5000 RTP/AVP 31"))
    machine.set_remote_answer(sdp("audio 4000 RTP/AVP 0"))  # a missing line counts as refused


def test_audio_refused_by_the_answer() -> None:
    machine = Negotiation(1)
    machine.create_offer(local())
    machine.set_remote_answer(sdp("audio 0 RTP/AVP 0"))
    assert machine.audio is None
    assert machine.agreed


def test_voip_metrics_when_both_want_them() -> None:
    offer = sdp("audio 4000 RTP/AVP 0|rtcp-xr:rcvr-rtt=all voip-metrics")
    for wanted in (False, True):
        machine, answer = answer_to(offer, local(rtcp_xr=wanted))
        assert machine.audio is not None
        assert machine.audio.rtcp_xr == answer.media[0].has("rtcp-xr") == wanted
    machine, answer = answer_to(sdp("audio 4000 RTP/AVP 0|rtcp-xr:rcvr-rtt=all"), local(rtcp_xr=True))
    assert machine.audio is not None
    assert not machine.audio.rtcp_xr
    assert Negotiation(1).create_offer(local(rtcp_xr=True)).media[0].attribute("rtcp-xr") == "voip-metrics"


def test_sound_switched_on_again_takes_the_place_it_had_last() -> None:
    negotiation = Negotiation(7)
    local = LocalAudio("192.0.2.1", 10000, (registry.get("PCMU"),))
    head = "v=0\r\no=- 1 {} IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n"
    for version, ports in enumerate([(5000,), (0, 5002), (0, 0)]):  # it moved to a second line, then went
        lines = "".join(f"m=audio {port} RTP/AVP 0\r\n" for port in ports)
        negotiation.set_remote_offer(SessionDescription.parse(head.format(version) + lines))
        negotiation.create_answer(local)
    assert [line.port for line in negotiation.create_offer(local).media] == [0, 10000]


def test_a_refused_secure_line_is_not_brought_to_life() -> None:
    negotiation = Negotiation(7)
    local = LocalAudio("192.0.2.1", 10000, (registry.get("PCMU"),))
    head = "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n"
    offer = head + "m=audio 0 RTP/SAVP 0\r\nm=video 0 RTP/AVP 31\r\n"
    negotiation.set_remote_offer(SessionDescription.parse(offer))
    negotiation.create_answer(local)
    lines = [(line.port, line.protocol) for line in negotiation.create_offer(local).media]
    assert lines == [(0, "RTP/SAVP"), (0, "RTP/AVP"), (10000, "RTP/AVP")]
