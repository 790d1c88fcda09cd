"""Run by .ci/without_portaudio: imports everything, places a call, and reads what is said of the devices."""

import importlib
import pkgutil
import subprocess
import sys

EXTRAS = {"keyring", "pytest", "pywebrtc_audio", "wsproto"}
"""What only an extra, or a test tool, brings: the one module that is about it cannot be imported without."""


def the_library_is_missing() -> None:
    """Else what follows would prove nothing."""
    try:
        import sounddevice  # noqa: F401
    except OSError as error:
        print("as it should be:", error)
    else:
        sys.exit("PortAudio was found in here, so this proves nothing")


def everything_imports() -> None:
    """Every module of the three packages."""
    names = []
    for package in ("dialog", "media", "sipmedia"):
        root = importlib.import_module(package)
        names += [package, *(found.name for found in pkgutil.walk_packages(root.__path__, f"{package}."))]
    for name in names:
        if name.endswith("__main__"):
            continue
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name not in EXTRAS:
                raise
            print(f"{name} wants {error.name}, an extra that is not installed in here")
    print(f"{len(names)} modules imported")


def run(*arguments: str, code: int, says: str) -> None:
    """Run the command line; exit unless its exit code and words are those."""
    command = [sys.executable, "-m", "sipmedia", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    output = done.stdout + done.stderr
    if done.returncode != code or says not in " ".join(output.split()):
        sys.exit(f"sipmedia {' '.join(arguments)}: {done.returncode}, wanted {code} and {says!r}\n{output}")
    print(f"sipmedia {' '.join(arguments)}: {says}")


def a_call_without_devices() -> None:
    """A call in which a person would have talked: it says why nobody does, and goes on."""
    bind = "127.0.0.1:25962"
    answering = subprocess.Popen(
        [sys.executable, "-m", "sipmedia", "answer", "--echo", "--calls", "1", "--bind", bind, "--json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert answering.stdout is not None
        assert "listening" in answering.stdout.readline()
        run("call", f"sip:bob@{bind}", "--duration", "1", code=0, says="no PortAudio library")
        if answering.wait(20) != 0:
            sys.exit(f"sipmedia answer ended with {answering.returncode}")
    finally:
        answering.kill()


the_library_is_missing()
everything_imports()
run("demo", "--rtp-ports", "24300-24400", "--alice-bind", "127.0.0.1:25960", "--bob-bind", "127.0.0.1:25961",
    code=0, says="")  # fmt: skip
run("devices", code=19, says="apt-get install libportaudio2")
run("call", "sip:bob@127.0.0.1:25963", "--input", "headset", code=19, says="no PortAudio library")
a_call_without_devices()
print("all but the devices works without PortAudio")
