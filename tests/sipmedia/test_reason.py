"""sipmedia/reason.py: Reason header values to words."""

import asyncio

import pytest

from sipmedia import CallFailed, Softphone
from sipmedia.events import IncomingCall
from sipmedia.reason import reason_header, reason_words
from tests.sipmedia.kit import ScriptedPeer, run


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ('Q.850;cause=16;text="Normal call clearing"', "Normal call clearing"),
        ('SIP ;cause=200 ; TEXT = "Call \\"completed\\" elsewhere"', 'Call "completed" elsewhere'),
        ("Q.850;cause=16", "Q.850;cause=16"),
        ("call completed", "call completed"),
        ("", ""),
        (reason_header(488), "Not Acceptable Here"),
    ],
)
def test_words(value: str, words: str) -> None:
    assert reason_words(value) == words


def test_an_answer_that_never_came_is_told_in_words() -> None:
    """A late offer, and an ACK without the answer to it: the caller's fault, said as a sentence."""

    async def test() -> None:
        async with Softphone(bind="127.0.0.1:0") as phone, ScriptedPeer() as peer:
            failure: asyncio.Future[CallFailed] = asyncio.get_running_loop().create_future()

            async def answer(event: IncomingCall) -> None:
                try:
                    await event.call.answer()
                except CallFailed as error:
                    failure.set_result(error)

            phone.on("incoming_call", answer)
            head = (
                f"To: <sip:b@127.0.0.1:{phone.address[1]}>{{to}}\r\nFrom: <sip:a@127.0.0.1>;tag=a\r\n"
                f"Call-ID: late\r\nMax-Forwards: 70\r\nContact: <sip:a@127.0.0.1:{peer.port}>\r\n"
                f"Via: SIP/2.0/UDP 127.0.0.1:{peer.port};branch=z9hG4bK{{branch}}\r\n"
                "CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
            )
            uri = f"sip:b@127.0.0.1:{phone.address[1]}"
            invite = head.format(to="", branch=1, method="INVITE")
            peer.send(f"INVITE {uri} SIP/2.0\r\n{invite}".encode(), phone.address)
            tag = (await peer.expect_status(200)).to.tag
            ack = head.format(to=f";tag={tag}", branch=2, method="ACK")
            peer.send(f"ACK {uri} SIP/2.0\r\n{ack}".encode(), phone.address)
            peer.respond(await peer.expect("BYE"), 200)
            assert str(await asyncio.wait_for(failure, 5)) == "No session description in the ACK"

    run(test())
