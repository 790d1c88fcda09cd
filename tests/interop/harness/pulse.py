"""A PulseAudio of our own with the sound cards of several phones, and the people who use them.

For a phone `a`: PortAudio sees the device `phone_a`. What is played into the sink `a_air` is what its
microphone hears; what its loudspeaker plays is heard at `a_spk.monitor`. People speak by `paplay` and listen
by `parec`, so nothing of ours is between them and the cards.

Without `norewinds=1` null sinks of PulseAudio 16 stall for a second at the start, and cost ten times the CPU.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from .process import PeerProcess, PeerTimeout
from .sound import Samples, read_wav, write_wav

PROGRAMS = ("pulseaudio", "pactl", "paplay", "parec")
RATE_HZ = 48000
PLUGIN = "libasound_module_pcm_pulse.so"
_LIBRARY_FOLDERS = ("/usr/lib", "/usr/lib64", "/usr/local/lib")


def missing() -> list[str]:
    """The Debian packages that are lacking."""
    packages = []
    if not all(shutil.which(program) for program in PROGRAMS):
        packages += ["pulseaudio", "pulseaudio-utils"]
    if not _plugin_there():
        packages.append("libasound2-plugins")
    return packages


def _plugin_there() -> bool:
    folders = [Path(folder) for folder in _LIBRARY_FOLDERS]
    places = (place for folder in folders for place in (folder, *folder.glob("*-linux-*")))
    return any((place / "alsa-lib" / PLUGIN).exists() for place in places)


class Pulse:
    """The server, started at once; a context manager. `environment` is what its clients need."""

    def __init__(self, folder: Path, phones: Sequence[str] = ("a", "b")) -> None:
        for name in ("run/pulse", "state"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for name in ("", "run", "run/pulse"):
            (folder / name).chmod(0o700)
        self.folder = folder
        self._process: PeerProcess | None = None
        # A socket's path has room for 107 characters; that of a test's folder may be longer.
        self._socket = Path(tempfile.gettempdir(), f"sipmedia-pulse-{os.getpid()}-{id(self):x}")
        (folder / "default.pa").write_text("\n".join(self._script(phones)) + "\n")
        (folder / "asound.conf").write_text("\n".join(_alsa(phones)) + "\n")
        self.environment = {
            "XDG_RUNTIME_DIR": str(folder / "run"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "PULSE_RUNTIME_PATH": str(folder / "run/pulse"),
            "PULSE_STATE_PATH": str(folder / "state"),
            "PULSE_COOKIE": str(folder / "cookie"),
            "PULSE_SERVER": f"unix:{self._socket}",
            "ALSA_CONFIG_PATH": str(folder / "asound.conf"),
        }
        self.start()

    def start(self) -> None:
        """Start, or start again after `kill`. :raises PeerTimeout: when it does not come up."""
        options = [
            *("-n", "-F", str(self.folder / "default.pa"), "--daemonize=no", "--exit-idle-time=-1"),
            *("--use-pid-file=no", "--disable-shm=yes", "--realtime=no", "--high-priority=no"),
            *("--log-target=stderr", "--log-level=warning"),
        ]
        self._socket.unlink(missing_ok=True)
        self._process = PeerProcess("pulseaudio", ["pulseaudio", *options], self.folder, self.environment)
        deadline = time.monotonic() + 10
        while self._pactl("info").returncode != 0:
            if not self._process.running or time.monotonic() > deadline:
                output = self._process.output()[-2000:]
                self.stop()
                raise PeerTimeout(f"PulseAudio does not start\n{output}")
            time.sleep(0.05)

    def kill(self) -> None:
        """End it as a crash would, without goodbye."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait(5)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.stop()
        self._socket.unlink(missing_ok=True)

    def echo(self, phone: str, delay_ms: int = 60, percent: int = 30) -> None:
        """Let the phone's microphone hear its loudspeaker, so much later and softer."""
        loaded = self._pactl(
            "load-module",
            "module-loopback",
            f"source={phone}_spk.monitor",
            f"sink={phone}_air",
            f"latency_msec={delay_ms}",
        )
        assert loaded.returncode == 0, loaded.stderr
        for number in self._inputs(f"{phone}_air"):
            assert self._pactl("set-sink-input-volume", number, f"{percent}%").returncode == 0

    def speaks(self, phone: str, sound: Samples, rate_hz: int = RATE_HZ) -> PeerProcess:
        """A person says something into the phone's microphone."""
        path = write_wav(self.folder / f"said-{phone}-{time.monotonic_ns()}.wav", sound, rate_hz)
        command = ["paplay", f"--device={phone}_air", "--latency-msec=20", str(path)]
        return PeerProcess(f"paplay-{phone}", command, self.folder, self.environment)

    def listens(self, phone: str, rate_hz: int = RATE_HZ) -> Listener:
        """A person listens to the phone's loudspeaker from now on."""
        path = self.folder / f"heard-{phone}-{time.monotonic_ns()}.wav"
        command = [
            *("parec", f"--device={phone}_spk.monitor", f"--rate={rate_hz}", "--channels=1"),
            *("--format=s16le", "--file-format=wav", "--latency-msec=20", str(path)),
        ]
        return Listener(f"parec-{phone}", command, self.folder, self.environment, path)

    def _inputs(self, sink: str) -> Iterator[str]:
        sinks = {line.split()[1]: line.split()[0] for line in self._lines("sinks")}
        for line in self._lines("sink-inputs"):
            number, index = line.split()[:2]
            if index == sinks[sink]:
                yield number

    def _lines(self, kind: str) -> list[str]:
        return self._pactl("list", "short", kind).stdout.splitlines()

    def _pactl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pactl", *arguments],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )

    def _script(self, phones: Sequence[str]) -> Iterator[str]:
        yield f"load-module module-native-protocol-unix auth-anonymous=1 socket={self._socket}"
        card = f"rate={RATE_HZ} channels=1 format=s16le norewinds=1"
        for phone in phones:
            for part in ("spk", "air"):
                yield f"load-module module-null-sink sink_name={phone}_{part} {card}"
            master = f"master={phone}_air.monitor remix=no"
            yield f"load-module module-remap-source source_name={phone}_mic {master}"
        yield f"set-default-sink {phones[0]}_spk"
        yield f"set-default-source {phones[0]}_mic"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class PipeWire(Pulse):
    """The same cards on PipeWire, which speaks PulseAudio's protocol by `pipewire-pulse`."""

    PROGRAMS = ("dbus-daemon", "pipewire", "wireplumber", "pipewire-pulse")

    def __init__(self, folder: Path, phones: Sequence[str] = ("a", "b")) -> None:
        self._servers: list[PeerProcess] = []
        self._phones = phones
        super().__init__(folder, phones)

    def start(self) -> None:
        """Start its three programs, then the cards."""
        self._runtime = Path(f"{self._socket}-pw")
        self._runtime.mkdir(mode=0o700, exist_ok=True)
        self.environment |= {
            "XDG_RUNTIME_DIR": str(self._runtime),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "PULSE_RUNTIME_PATH": str(self._runtime / "pulse"),
            "PULSE_SERVER": f"unix:{self._runtime / 'pulse' / 'native'}",
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={self._runtime / 'bus'}",
        }
        bus = ["--session", "--nofork", "--nopidfile", f"--address=unix:path={self._runtime / 'bus'}"]
        for program in self.PROGRAMS:
            command = [program, *(bus if program == "dbus-daemon" else ())]
            self._servers.append(PeerProcess(program, command, self.folder, self.environment))
            time.sleep(0.3)  # each wants the one before it, and says nothing when it is ready
        deadline = time.monotonic() + 10
        while self._pactl("info").returncode != 0:
            if time.monotonic() > deadline:
                output = "".join(server.output()[-500:] for server in self._servers)
                self.stop()
                raise PeerTimeout(f"PipeWire does not start\n{output}")
            time.sleep(0.05)
        for line in self._script(self._phones):
            words = line.split()
            # A default is wireplumber's to keep, which may want a session bus; nobody here goes by it.
            if words[0] == "load-module" and "native-protocol" not in line and self._pactl(*words).returncode:
                self.stop()
                raise PeerTimeout(f"PipeWire refuses: {line}")

    def stop(self) -> None:
        """End them."""
        for server in reversed(self._servers):
            server.stop()
        self._servers.clear()
        shutil.rmtree(self._runtime, ignore_errors=True)


class Listener(PeerProcess):
    """Somebody who records what is heard."""

    def __init__(
        self, name: str, command: Sequence[str], folder: Path, environment: dict[str, str], path: Path
    ) -> None:
        super().__init__(name, command, folder, environment)
        self._path = path

    def heard(self) -> Samples:
        """Stop listening; what was heard."""
        self.stop()
        return read_wav(self._path)


def _alsa(phones: Sequence[str]) -> Iterator[str]:
    """The devices that PortAudio finds: both directions of each phone, its human's, and the default."""
    for phone in phones:
        yield (
            f"pcm.phone_{phone} {{ type asym "
            f'playback.pcm {{ type pulse device "{phone}_spk" }} '
            f'capture.pcm {{ type pulse device "{phone}_mic" }} }}'
        )
    for phone in phones:
        yield (
            f"pcm.human_{phone} {{ type asym "
            f'playback.pcm {{ type pulse device "{phone}_air" }} '
            f'capture.pcm {{ type pulse device "{phone}_spk.monitor" }} }}'
        )
    yield "pcm.default { type pulse }"
    yield "ctl.default { type pulse }"
