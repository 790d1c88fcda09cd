"""Microseconds of the hot paths, in process and without I/O: `python -m benchmarks.micro`.

Each path is repeated for a fixed time, in five rounds; the fastest round is given, the one that other
programs on the machine disturbed least.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable

import numpy as np

from dialog.config import UserAgentConfig
from dialog.core import Core
from dialog.events import SessionOffer
from dialog.flow import Flow, Send
from dialog.parser import parse_datagram
from media.audio.graph import Echo
from media.codec import registry
from media.engine import Engine
from media.plan import MediaDirection, StreamPlan
from media.rtp.packet import RtpPacket
from media.sdp.description import SessionDescription
from media.sdp.local_audio import LocalAudio
from media.sdp.negotiation import Negotiation
from media.stream import Stream

ROUNDS, ROUND_S = 5, 0.2
PEER = ("127.0.0.1", 40000)
OFFER = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
)
_numbers = itertools.count(1)


def request(method: str, number: int, cseq: int, to_tag: str = "", body: str = "") -> bytes:
    """A request as a simple phone sends it."""
    kind = "Content-Type: application/sdp\r\n" if body else ""
    branch = f"z9hG4bK{number}{'' if method == 'ACK' else method}"
    return (
        f"{method} sip:bob@127.0.0.1:5070 SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 127.0.0.1:5080;rport;branch={branch}\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:alice@127.0.0.1:5080>;tag=a{number}\r\n"
        f"To: <sip:bob@127.0.0.1:5070>{to_tag}\r\nCall-ID: {number}@bench\r\nCSeq: {cseq} {method}\r\n"
        f"Contact: <sip:alice@127.0.0.1:5080>\r\nUser-Agent: bench\r\n{kind}"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def fastest_us(work: Callable[[], object]) -> float:
    """Microseconds a call of `work`, in the fastest round."""
    best = float("inf")
    for _ in range(ROUNDS):
        count, start = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < ROUND_S:
            for _ in range(20):
                work()
            count += 20
        best = min(best, elapsed / count)
    return best * 1e6


def whole_call() -> Callable[[], object]:
    """INVITE, 200, ACK, BYE, 200 through the core of the answering side; timers run, bodies are constant."""
    now = 0.0
    core = Core(UserAgentConfig(bind=("127.0.0.1", 5070)), random.Random(1), lambda: now, lambda: None)
    flow = Flow("UDP", ("127.0.0.1", 5070), ("127.0.0.1", 5080))
    answer = OFFER.encode()

    def work() -> None:
        nonlocal now
        now += 0.005  # 200 calls a second: as many transactions linger as at that rate
        core.handle_timer(now)
        number = next(_numbers)
        core.receive(flow, request("INVITE", number, 1, body=OFFER), now)
        for event in core.take_events():
            if isinstance(event, SessionOffer):
                event.usage.accept(answer)
        sent = [effect.data for effect in core.take_effects() if isinstance(effect, Send)]
        to_tag = ";tag=" + sent[-1].split(b"To:", 1)[1].split(b"tag=", 1)[1].split(b"\r\n", 1)[0].decode()
        core.receive(flow, request("ACK", number, 1, to_tag), now)
        core.receive(flow, request("BYE", number, 2, to_tag), now)
        core.take_events()
        core.take_effects()

    return work


def echo_packet() -> Callable[[], object]:
    """One call's 20 ms in the engine: a packet in, jitter buffer, decode, echo, encode, a packet out."""
    pcmu = registry.get("PCMU")
    engine = Engine()
    stream = Stream(
        None, random=random.Random(1), now=0.0, wall_offset=0.0, emit=engine.events.append,
        send_rtp=lambda data, to: None, send_rtcp=lambda data, to: None,
    )  # fmt: skip
    echo = Echo()
    stream.inbound.add_sink(echo)
    stream.outbound.set_source(echo)
    plan = StreamPlan(
        send_codec=pcmu, send_payload_type=0, receive_codecs={0: pcmu}, telephone_event_send=None,
        telephone_event_receive=None, direction=MediaDirection.SENDRECV, ptime_ms=20, remote_rtp=PEER,
        remote_rtcp=("127.0.0.1", 40001), cname="bench",
    )  # fmt: skip
    engine.add_stream(stream, plan)
    tick = itertools.count()

    def work() -> None:
        n = next(tick)
        now = n * 0.02
        packet = b"\x80\x00%b%b\0\0\0\1" % ((n & 0xFFFF).to_bytes(2), (n * 160 & 0xFFFFFFFF).to_bytes(4))
        engine.receive(stream, [(packet + bytes(160), PEER, now)])
        engine.tick(now + 0.019)
        engine.events.clear()

    return work


def main() -> None:
    """Measure and print."""
    invite = request("INVITE", 1, 1, body=OFFER)
    message = parse_datagram(invite)
    offer = SessionDescription.parse(OFFER)
    codecs = tuple(registry.get(name) for name in ("PCMU", "PCMA", "G722"))
    audio = LocalAudio("127.0.0.1", 10000, codecs)
    samples = (np.random.default_rng(1).standard_normal(160) * 3000).astype(np.int16)
    encoder, decoder = codecs[0].make_encoder(), codecs[0].make_decoder()
    wideband = np.repeat(samples, 2)
    g722 = codecs[2].make_encoder()
    packet = bytes(RtpPacket(payload_type=0, sequence_number=1, timestamp=160, ssrc=1, payload=bytes(160)))

    def answer() -> None:
        negotiation = Negotiation(1)
        negotiation.set_remote_offer(offer)
        bytes(negotiation.create_answer(audio))

    paths: dict[str, Callable[[], object]] = {
        "SIP: parse an INVITE": lambda: parse_datagram(invite),
        "SIP: serialise it": lambda: bytes(message),
        "SIP: a whole answered call (3 requests, 2 responses)": whole_call(),
        "SDP: parse an offer": lambda: SessionDescription.parse(OFFER),
        "SDP: answer it": answer,
        "RTP: parse a packet": lambda: RtpPacket.parse(packet),
        "PCMU: encode 20 ms": lambda: encoder.encode(samples),
        "PCMU: decode 20 ms": lambda: decoder.decode(packet[12:]),
        "G.722: encode 20 ms": lambda: g722.encode(wideband),
        "engine: an echo call's 20 ms": echo_packet(),
    }
    for name, work in paths.items():
        print(f"{name:55} {fastest_us(work):8.2f} us", flush=True)


if __name__ == "__main__":
    main()
