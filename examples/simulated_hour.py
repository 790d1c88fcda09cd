"""Example 8: an hour of a call over a bad network, in seconds, and the same for the same seed.

Nothing here is special but the first lines of `simulated_hour`: the phones, the call and the sound are those
of every other example, and run in virtual time. `--seed N` makes another hour, `--out DIR` says where
it is saved. How to write tests this way: docs/testing.md.
"""

import asyncio
import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from examples.kit import ExampleFailed, _, example, ngettext, options, rule, say, show
from examples.kit.plot import Panel, Span, render_plot
from media import MediaStats
from media.audio.synthesis import speech
from media.quality import mos, rating
from sipmedia import Account, Call, IncomingCall, Softphone, render_svg
from sipmedia.simulation import GilbertElliott, Link, Network, Simulation

DEFAULT_SEED = 1
DEFAULT_FOLDER = Path("calls") / "simulated-hour"
MINUTES = 60
SAMPLE_S = 10.0
PACKET_MS = 20.0
SPEECH_S = 30.0

# What the network does to the call, as people know it from their own: from which minute on, what, settings.
WEATHER: tuple[tuple[int, str, dict[str, Any]], ...] = (
    (0, "", {"delay": 0.03, "jitter": 0.03, "loss": 0.02}),
    (15, "busy", {"jitter": 0.09, "loss": 0.03}),
    (25, "", {"jitter": 0.03, "loss": 0.02}),
    (35, "bursts", {"loss": GilbertElliott.of(0.08, 5)}),
    (42, "", {"loss": 0.02}),
    (50, "far", {"delay": 0.18}),
    (55, "", {"delay": 0.03}),
)


@dataclass
class Listener:
    """What one party's reception was like, sample by sample."""

    call: Call
    loss: list[float] = field(default_factory=list)
    buffer: list[float] = field(default_factory=list)
    mos: list[float] = field(default_factory=list)
    _depths: list[float] = field(default_factory=list)
    _before: MediaStats = field(default_factory=MediaStats)

    def audio(self) -> MediaStats:
        """What was counted so far."""
        statistics = self.call.statistics()
        assert statistics is not None
        return statistics.media["audio"]

    def look(self) -> None:
        """Note how much waits in the jitter buffer at this moment."""
        self._depths.append(self.audio().buffer_depth)

    def sample(self) -> None:
        """Note what the last seconds were like."""
        now, before = self.audio(), self._before
        missed = now.packets_lost + now.packets_late - before.packets_lost - before.packets_late
        due = now.packets_received + now.packets_lost - before.packets_received - before.packets_lost
        loss = 100 * max(0, missed) / max(1, due)
        depth = sum(self._depths) / len(self._depths)
        delay = (now.rtt or 0.0) / 2 + depth + PACKET_MS
        self.loss.append(loss)
        self.buffer.append(depth)
        self.mos.append(mos(rating(one_way_delay_ms=delay, loss_percent=loss, codec=now.codec or "PCMU")))
        self._before = now
        self._depths.clear()


@example(8, "⏩", "An hour of a call in seconds", takes=("seed", "out"))
def simulated_hour() -> None:
    """Run the hour, then save and show what it was like."""
    seed = DEFAULT_SEED if options.seed is None else options.seed
    folder = options.out or DEFAULT_FOLDER
    say("⏩ An hour of a call in seconds")
    rule(33)
    say()
    say("🎲 Seed {seed}: the same seed makes the same hour, packet for packet", seed=seed)
    say("🌐 The network loses 2 % and more of the packets, and shakes the others by 30 ms and more")
    say()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        text = _("cannot save in {folder}: {reason}")
        raise ExampleFailed(text.format(folder=folder, reason=error)) from error
    network = Network(seed)
    link = network.link(network.host("10.0.0.1", name="alice"), network.host("10.0.0.2", name="bob"))
    simulation = Simulation(network)
    alice, bob = simulation.run(hour(network, link, folder), limit=60 * MINUTES + 60)
    save(simulation, alice, bob, folder)
    report(simulation, alice, bob, folder)


async def hour(network: Network, link: Link, folder: Path) -> tuple[Listener, Listener]:
    """The call: two phones, both speaking all the time, both recorded."""
    async with (
        Softphone(Account("sip:alice@10.0.0.1"), bind="10.0.0.1:5060") as alice,
        Softphone(Account("sip:bob@10.0.0.2"), bind="10.0.0.2:5060") as bob,
    ):
        answered: asyncio.Future[Call] = asyncio.get_running_loop().create_future()

        async def answer(event: IncomingCall) -> None:
            await event.call.answer()
            answered.set_result(event.call)

        bob.on("incoming_call", answer)
        call = await alice.call("sip:bob@10.0.0.2")
        parties = Listener(call), Listener(await answered)
        for party, name, pitch in zip(parties, ("a", "b"), (200.0, 110.0), strict=True):
            party.call.record(folder / f"{name}.wav")
            said = speech(party.call.rate, SPEECH_S, network.random(name), pitch_hz=pitch)
            party.call.play(said, repeat=None)
        await follow(parties, link)
        await call.hangup()
    return parties


async def follow(parties: tuple[Listener, Listener], link: Link) -> None:
    """Let the hour pass, change the weather when it is time, and note what it does."""
    weather = list(WEATHER)
    for second in range(60 * MINUTES + 1):
        if weather and second >= 60 * weather[0][0]:
            link.set(**weather.pop(0)[2])
        if second:
            for party in parties:
                party.look()
                if second % SAMPLE_S == 0:
                    party.sample()
        if second and second % 600 == 0:
            show_progress(second // 60, parties)
        if second < 60 * MINUTES:
            await asyncio.sleep(1)


def show_progress(minutes: int, parties: tuple[Listener, Listener]) -> None:
    """One line for the last ten minutes, as Bob heard them."""
    heard, last = parties[1], round(600 / SAMPLE_S)
    say(
        "   ⏱️ {minutes} min: loss {loss:.1f} %, jitter buffer {buffer:.0f} ms, MOS {mos:.1f}",
        minutes=minutes,
        loss=sum(heard.loss[-last:]) / last,
        buffer=sum(heard.buffer[-last:]) / last,
        mos=sum(heard.mos[-last:]) / last,
    )


def save(simulation: Simulation, alice: Listener, bob: Listener, folder: Path) -> None:
    """Everything but the recordings, which the call saved itself."""
    simulation.capture.save(folder / "call.pcapng")
    (folder / "ladder.svg").write_text(render_svg(alice.call.trace, _("An hour of a call")), encoding="utf-8")
    times = [SAMPLE_S * (number + 1) for number in range(len(alice.loss))]
    stats = {
        "seed": simulation.seed,
        "seconds": alice.call.duration,
        "sample_seconds": SAMPLE_S,
        "parties": {
            name: {
                "audio": asdict(party.audio()),
                "loss_percent": party.loss,
                "buffer_ms": party.buffer,
                "mos": party.mos,
            }
            for name, party in (("alice", alice), ("bob", bob))
        },
    }
    (folder / "stats.json").write_text(json.dumps(stats, indent=1) + "\n", encoding="utf-8")
    hers, his = _("Alice hears"), _("Bob hears")
    panels = [
        Panel(_("Loss, %"), {hers: alice.loss, his: bob.loss}, 0, 10),
        Panel(_("Jitter buffer, ms"), {hers: alice.buffer, his: bob.buffer}, 0, 40),
        Panel(_("Opinion score (MOS), 1 to 4.5"), {hers: alice.mos, his: bob.mos}, 1, 4.5),
    ]
    words = {"busy": _("busy network"), "bursts": _("bursts of loss"), "far": _("long way")}
    ends = [start for start, _word, _settings in WEATHER[1:]] + [MINUTES]
    spans = [
        Span(start, end, words[word])
        for (start, word, _settings), end in zip(WEATHER, ends, strict=True)
        if word
    ]
    plot = render_plot(
        _("How an hour of a call sounded"),
        _("seed {seed}; minutes since the answer, a value every 10 seconds").format(seed=simulation.seed),
        [time / 60 for time in times],
        panels,
        spans,
    )
    (folder / "quality.svg").write_text(plot, encoding="utf-8")


def report(simulation: Simulation, alice: Listener, bob: Listener, folder: Path) -> None:
    """The hour in figures, and what to look at."""
    say()
    say(
        "✅ {minutes} min of a call in {seconds:.1f} s: {speed:.0f} times faster than life",
        minutes=MINUTES,
        seconds=simulation.real_seconds,
        speed=simulation.speed,
    )
    say()
    say("📊 What was heard:")
    for name, party in ((_("Alice"), alice), (_("Bob"), bob)):
        audio = party.audio()
        say(
            "   📦 {name}: {received}, lost {lost} ({percent:.1f} %), jitter {jitter:.1f} ms, MOS {mos:.1f}",
            name=name,
            received=ngettext("{count} packet", "{count} packets", audio.packets_received),
            lost=audio.packets_lost,
            percent=100 * audio.packet_loss_rate,
            jitter=audio.jitter,
            mos=audio.mos or 0.0,
        )
    say()
    say("💾 Saved in {folder}:", folder=folder)
    say("   call.pcapng — every packet, for Wireshark    a.wav, b.wav — what each side heard")
    say("   quality.svg — loss, jitter buffer and MOS    ladder.svg, stats.json")
    say("🔁 Once more with the same seed, and these sums stay the same:")
    for name in ("call.pcapng", "a.wav", "b.wav"):
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        show(f"   {name}: {digest[:16]}")
