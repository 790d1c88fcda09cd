"""From what a person wrote to the backend that has it: `null`, `file:NAME`, or a device of this machine."""

from media.device.base import Backend, Direction
from media.device.choosing import Wish
from media.device.file import file_loudspeaker, file_microphone
from media.device.portaudio import portaudio
from media.device.virtual import VirtualBackend, null_card

NULL = "null"
FILE = "file:"


def backend_for(wish: Wish, direction: Direction, usual: Backend | None = None) -> tuple[Backend, Wish]:
    """The backend and what to ask it for; `usual` in place of PortAudio.

    Raises `BadAudio` for a file that cannot be read or written.
    """
    if wish == NULL:
        return VirtualBackend([null_card()]), None
    if isinstance(wish, str) and wish.startswith(FILE):
        path = wish.removeprefix(FILE)
        card = file_microphone(path) if direction is Direction.INPUT else file_loudspeaker(path)
        return VirtualBackend([card]), None
    return usual or portaudio(), wish
