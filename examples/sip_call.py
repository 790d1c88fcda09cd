"""Example 6: a real SIP call between two softphones on this machine, the same as `make call`.

Alice calls Bob over SIP, both speak and press keys over RTP, and what each heard is compared with what the
other said. Recordings, the ladder of messages and the statistics are saved. How to write a call: example 7.
"""

import asyncio
import os
import time
from pathlib import Path

from examples.kit import ExampleFailed, example, ngettext, rule, say, show
from media import PortRange
from sipmedia import SipMediaError, render_text
from sipmedia.cli.demo import DemoReport, run_demo

ALICE = "127.0.0.1:0"  # port 0 takes any free one
BOB = "127.0.0.1:0"
RTP_PORTS = PortRange(10000, 10100)
FOLDER = Path("calls")


@example(6, "☎️", "A SIP call between two softphones")
def sip_call() -> None:
    """Place the call, then show its ladder and what was heard."""
    say("☎️ A SIP call between two softphones")
    rule(36)
    say()
    folder = FOLDER / f"example-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    try:
        report = asyncio.run(
            run_demo(folder, alice_bind=ALICE, bob_bind=BOB, ports=RTP_PORTS, on_step=show_step)
        )
    except (SipMediaError, OSError) as error:
        raise ExampleFailed(str(error)) from error
    say()
    say("🪜 The ladder of messages:")
    show(render_text(report.trace))
    show_report(report)
    if report.failures:
        raise ExampleFailed("; ".join(report.failures))
    say("✅ Each side heard the other")


def show_step(step: str, sentence: str) -> None:
    """Say what happens now; `sentence`, which is English, has the details that we leave out."""
    match step:
        case "listening":
            say("📱 Both phones are listening...")
        case "calling":
            say("📞 Alice calls Bob (INVITE)...")
        case "ringing":
            say("🔔 It rings at Bob's (180)")
        case "answered":
            say("🤝 Bob answered (200, ACK)")
        case "talking":
            say("🎵 Both speak at the same time...")
        case "keys":
            say("🔢 Both press keys (DTMF)...")
        case "hanging_up":
            say("👋 Alice hangs up (BYE)...")
        case "checking":
            say("🔍 Comparing what was said with what was heard...")


def show_report(report: DemoReport) -> None:
    """What each party heard and counted, and where it is saved."""
    say()
    say("📊 What was heard (codec {codec}):", codec=report.codec)
    for heard in report.heard:
        say(
            "   🎵 {listener} heard {speaker}: likeness {score:.2f}, delay {delay} ms",
            listener=heard.listener,
            speaker=heard.speaker,
            score=heard.score,
            delay="—" if heard.delay_ms is None else f"{heard.delay_ms:.0f}",
        )
    for name, keys in report.keys.items():
        say("   🔢 {name} received the keys: {keys}", name=name, keys=" ".join(keys))
    for name, statistics in report.statistics.items():
        audio = statistics.media["audio"]
        say(
            "   📦 {name}: sent {sent}, received {received}, lost {lost}",
            name=name,
            sent=ngettext("{count} packet", "{count} packets", audio.packets_sent),
            received=ngettext("{count} packet", "{count} packets", audio.packets_received),
            lost=audio.packets_lost,
        )
    say(
        "   💾 Saved in {folder}: {files}",
        folder=report.folder,
        files=", ".join(f.name for f in report.files),
    )
