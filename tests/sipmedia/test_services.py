"""Messages and questions of a phone."""

from __future__ import annotations

import asyncio
import gc

import pytest

from sipmedia import (
    Account,
    InfoReceived,
    InvalidAddress,
    MessageReceived,
    PhoneClosed,
    RequestFailed,
    Softphone,
)
from tests.sipmedia.kit.phones import connected, first, pair, run


def test_a_message_and_its_answer() -> None:
    async def main() -> None:
        async with pair() as phones:
            got = first(phones.bob, "message")
            await phones.alice.message(phones.bobs_uri, "Grüße")
            event: MessageReceived = await got
            assert (event.text, event.content_type, event.call) == ("Grüße", "text/plain", None)
            assert event.sender == "sip:alice@127.0.0.1"

    run(main())


def test_bytes_of_any_type() -> None:
    async def main() -> None:
        async with pair() as phones:
            got = first(phones.bob, "message")
            await phones.alice.message(phones.bobs_uri, b"\x00\x01", content_type="application/octet-stream")
            event: MessageReceived = await got
            assert (event.body, event.text) == (b"\x00\x01", "")

    run(main())


def test_nobody_reads_nobody_is_there() -> None:
    async def main() -> None:
        async with pair() as phones:
            with pytest.raises(RequestFailed) as caught:
                await phones.alice.message(phones.bobs_uri, "hello")
            assert (caught.value.status, caught.value.method) == (480, "MESSAGE")
            with pytest.raises(RequestFailed) as caught:
                await phones.alice.message("sip:nobody@127.0.0.1:9", "hello")
            assert caught.value.status == 408
            with pytest.raises(InvalidAddress):
                await phones.alice.message("nobody", "hello")
        with pytest.raises(PhoneClosed):
            await phones.alice.message("sip:bob@127.0.0.1", "hello")

    run(main())


def test_a_message_in_a_call_is_told_twice() -> None:
    async def main() -> None:
        async with connected() as (call, theirs):
            in_call = first(theirs, "message")
            await call.message("psst")
            event: MessageReceived = await in_call
            assert (event.call, event.text) == (theirs, "psst")
            with pytest.raises(RequestFailed) as caught:
                await theirs.message("nobody listens here")
            assert caught.value.status == 480

    run(main())


def test_a_compressed_message_is_not_taken() -> None:
    async def main() -> None:
        async with pair() as phones:
            phones.bob.on("message", lambda event: None)
            response = await phones.alice._ask(
                "MESSAGE", phones.bobs_uri, None, "text/plain", b"x", [("Content-Encoding", "gzip")]
            )
            assert response.status == 415

    run(main())


def test_options() -> None:
    async def main() -> None:
        async with pair() as phones:
            seen = await phones.alice.options(phones.bobs_uri)
            assert seen.status == 200
            assert {"INVITE", "REFER", "MESSAGE"} <= seen.methods
            assert "replaces" in seen.extensions
            assert "application/sdp" in seen.content_types
            assert "refer" in seen.events
            assert seen.server == "sipmedia"
            assert 0 < seen.round_trip < 0.1
            with pytest.raises(RequestFailed):
                await phones.alice.options("sip:nobody@127.0.0.1:9")

    run(main())


def test_closing_while_a_message_is_on_its_way() -> None:
    async def main() -> None:
        async with Softphone(Account("sip:alice@127.0.0.1"), bind="127.0.0.1:0") as phone:
            phone.on("message", lambda event: None)
            sending = asyncio.ensure_future(phone.message("sip:nobody@127.0.0.1:9", "hello"))
            await asyncio.sleep(0.1)
        with pytest.raises(PhoneClosed):
            await asyncio.wait_for(sending, 5)

    run(main())


def test_any_info_is_told() -> None:
    async def main() -> None:
        async with connected() as (call, theirs):
            got = first(theirs, "info")
            await call.info("application/media_control+xml", b"<media_control/>")
            event: InfoReceived = await got
            assert (event.content_type, event.body) == ("application/media_control+xml", b"<media_control/>")
            assert event.call is theirs

    run(main())


def test_a_message_given_up_leaves_no_complaint() -> None:
    """When the phone closes later, asyncio has no error to report that nobody awaited."""
    complaints: list[object] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        async with Softphone(Account("sip:alice@127.0.0.1"), bind="127.0.0.1:0") as phone:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(phone.message("sip:nobody@127.0.0.1:9", "hello"), 0.01)

    run(main())
    gc.collect()
    assert not complaints
