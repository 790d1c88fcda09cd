"""A disk that hangs costs the recording, never the call."""

import asyncio
import io
import threading

import pytest
from typing_extensions import Buffer

from media import ManagerConfig, PortRange
from media.files import recorder
from sipmedia import Account, ErrorOccurred, IncomingCall, Softphone


class Hung(io.BytesIO):
    """A file whose writes wait until the disk comes back."""

    def __init__(self) -> None:
        super().__init__()
        self.back = threading.Event()
        self.hangs = False

    def write(self, data: Buffer) -> int:
        if self.hangs:
            self.back.wait(20)
        return super().write(data)


def test_a_call_goes_on_and_ends_while_the_disk_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "QUEUE_S", 0.5)
    asyncio.run(the_call())


async def the_call() -> None:
    media = ManagerConfig(rtp_port_range=PortRange(24000, 24100))
    file = Hung()
    async with (
        Softphone(Account("sip:a@127.0.0.1"), bind="127.0.0.1:0", media=media) as alice,
        Softphone(Account("sip:b@127.0.0.1"), bind="127.0.0.1:0", media=media) as bob,
    ):

        async def answer(event: IncomingCall) -> None:
            await event.call.answer()
            event.call.echo()

        bob.on("incoming_call", answer)
        call = await alice.call(f"sip:b@127.0.0.1:{bob.address[1]}")
        errors: list[str] = []

        def on_error(event: ErrorOccurred) -> None:
            errors.append(f"{event.doing}: {event.error}")

        call.on("error", on_error)
        recording = call.record(file, layout="mix")
        file.hangs = True
        await asyncio.sleep(2.0)
        statistics = call.statistics()
        assert statistics is not None
        assert statistics.media["audio"].packets_sent > 90
        assert statistics.media["audio"].packets_received > 80
        assert recording.samples_dropped > 4000
        await asyncio.wait_for(call.hangup(), 3)
        assert recording.result is None
        assert len(errors) == 1
        assert "not done with it" in errors[0]
        file.back.set()
        result = await asyncio.wait_for(recording.stop(), 3)
        assert result.samples_dropped == recording.samples_dropped
        await asyncio.sleep(0)
        assert "s are missing: the disk is too slow" in errors[1]
