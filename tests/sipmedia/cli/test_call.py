"""sipmedia/cli/call.py: how a call of the command line ends, by exit code and in JSON."""

import asyncio
import errno
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from sipmedia import Account, IncomingCall, PhoneConfig, Softphone
from sipmedia.cli.addresses import complete, default_bind, own_host
from sipmedia.cli.call import place_call
from sipmedia.cli.exits import Exit
from sipmedia.cli.output import Output
from sipmedia.cli.phone import make_phone
from tests.sipmedia.kit import ScriptedPeer, cli_settings, pair, run
from tests.sipmedia.kit.scripted import sdp


def lines(captured: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in captured.splitlines()]


async def answer_echoing(event: IncomingCall) -> None:
    await event.call.answer()
    event.call.echo()
    await event.call.play(np.full(4000, 1000, np.int16))


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (486, Exit.BUSY),
        (600, Exit.BUSY),
        (603, Exit.DECLINED),
        (403, Exit.DECLINED),
        (404, Exit.NOT_FOUND),
        (480, Exit.TIMEOUT),
        (500, Exit.REFUSED),
    ],
)
def test_refusals(status: int, code: Exit, capsys: pytest.CaptureFixture[str]) -> None:
    async def test() -> None:
        async with pair(lambda event: event.call.reject(status)) as phones:
            assert await place_call(phones.bobs_uri, cli_settings(), Output(as_json=True)) is code

    run(test())
    captured = capsys.readouterr()
    events = lines(captured.out)
    assert events[-1]["event"] == "summary"
    assert (events[-1]["exit_code"], events[-1]["status"]) == (code, status)
    assert {"event": "failed", "status": status}.items() <= next(
        event for event in events if event["event"] == "failed"
    ).items()
    assert f"({status} " in captured.err


def test_where_a_redirected_call_goes_and_when_to_try_again(capsys: pytest.CaptureFixture[str]) -> None:
    async def test() -> None:
        async with ScriptedPeer() as peer, pair() as phones:
            settings, out = cli_settings(), Output(as_json=True)
            calling = asyncio.ensure_future(place_call(f"sip:peer@127.0.0.1:{peer.port}", settings, out))
            invite = await peer.expect("INVITE")
            peer.respond(invite, 302, headers=[("Contact", f"<sip:again@127.0.0.1:{peer.port}>")])
            again = await peer.expect("INVITE")
            assert again.request_uri == f"sip:again@127.0.0.1:{peer.port}"
            peer.respond(again, 480, headers=[("Retry-After", "60")])
            assert await calling is Exit.TIMEOUT
            assert not phones.alice.calls

    run(test())
    events = {event["event"]: event for event in lines(capsys.readouterr().out)}
    assert events["redirected"]["status"] == 302
    assert events["redirected"]["target"].startswith("sip:again@")
    assert events["failed"]["retry_after"] == 60


def test_nobody_answers_in_time() -> None:
    async def test() -> None:
        async with pair(lambda event: None, bob=PhoneConfig(ring_timeout=0.05)) as phones:
            assert await place_call(phones.bobs_uri, cli_settings(), Output(as_json=True)) is Exit.TIMEOUT

    run(test())


def test_no_common_codec(capsys: pytest.CaptureFixture[str]) -> None:
    async def test() -> None:
        async with pair(lambda event: None, bobs_codecs=("PCMA",)) as phones:
            wanted = cli_settings(codecs=("PCMU",))
            code = await place_call(phones.bobs_uri, wanted, Output(as_json=True))
            assert code is Exit.NO_COMMON_CODEC

    run(test())
    error = capsys.readouterr().err
    assert "PCMA" in error
    assert "PCMU" in error
    assert "--codec" in error
    assert "audio_codecs" not in error


def test_answered_but_nothing_heard(capsys: pytest.CaptureFixture[str]) -> None:
    async def test() -> None:
        async with ScriptedPeer() as peer:
            calling = asyncio.ensure_future(
                place_call(f"sip:x@127.0.0.1:{peer.port}", cli_settings(), Output(as_json=True))
            )
            peer.respond(await peer.expect("INVITE"), 200, sdp=sdp())
            peer.respond(await peer.expect("BYE"), 200)
            assert await calling is Exit.NO_AUDIO

    run(test())
    assert {"event": "heard", "packets": 0}.items() <= lines(capsys.readouterr().out)[-2].items()


@pytest.mark.parametrize("duration", [None, 0, 0.5])
def test_a_far_end_that_hangs_up_as_soon_as_it_has_answered(
    duration: float | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "hello.wav", np.zeros(800, np.int16), 8000)

    async def test() -> None:
        async with ScriptedPeer() as peer:
            wanted = cli_settings(
                duration=duration, play=tmp_path / "hello.wav", dtmf="1", record=tmp_path / "heard.wav"
            )
            calling = asyncio.ensure_future(
                place_call(f"sip:x@127.0.0.1:{peer.port}", wanted, Output(as_json=True))
            )
            invite = await peer.expect("INVITE")
            peer.respond(invite, 200, sdp=sdp())
            peer.request_like(invite, "BYE", 1)
            assert await calling is Exit.NO_AUDIO

    run(test())
    captured = capsys.readouterr()
    events = {event["event"]: event for event in lines(captured.out)}
    assert captured.err == ""
    assert events["ended"]["by"] == events["summary"]["ended_by"] == "remote"
    assert events["summary"]["call_id"]


def test_a_call_that_breaks_off_is_summed_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone = tmp_path / "hello.wav"
    soundfile.write(gone, np.zeros(800, np.int16), 8000)

    async def test() -> None:
        async with ScriptedPeer() as peer:
            wanted = cli_settings(duration=None, play=gone)
            target = f"sip:x@127.0.0.1:{peer.port}"
            calling = asyncio.ensure_future(place_call(target, wanted, Output(as_json=True)))
            invite = await peer.expect("INVITE")
            gone.unlink()
            peer.respond(invite, 200, sdp=sdp())
            peer.respond(await peer.expect("BYE"), 200)
            assert await calling is not Exit.TALKED

    run(test())
    summary = lines(capsys.readouterr().out)[-1]
    assert (summary["event"], summary["ended_by"]) == ("summary", "local")


def test_a_recording_that_the_disk_does_not_take_has_an_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def write(_self: object, _block: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("media.files.writer._WavWriter.write", write)

    async def test() -> None:
        async with pair(answer_echoing) as phones:
            wanted = cli_settings(duration=0.4, record=tmp_path / "heard.wav")
            code = await place_call(phones.bobs_uri, wanted, Output(as_json=True))
            assert code is Exit.NOT_RECORDED

    run(test())
    told = {event["event"]: event for event in lines(capsys.readouterr().out)}
    assert "No space left" in told["recorded"]["error"]
    assert told["summary"]["exit_code"] == Exit.NOT_RECORDED


def test_nothing_heard_is_no_fault_when_nothing_was_to_be_heard() -> None:
    async def test() -> None:
        async with ScriptedPeer() as peer:
            calling = asyncio.ensure_future(
                place_call(f"sip:x@127.0.0.1:{peer.port}", cli_settings(), Output(as_json=True))
            )
            peer.respond(await peer.expect("INVITE"), 200, sdp=sdp() + "a=recvonly\r\n")
            peer.respond(await peer.expect("BYE"), 200)
            assert await calling is Exit.TALKED

    run(test())


@pytest.mark.parametrize(
    ("target", "changed", "code", "words"),
    [
        ("sip:x@192.0.2.1", {}, Exit.PEER_GONE, "cannot be reached"),
        ("sip:x@host.invalid", {}, Exit.PEER_GONE, "there is no host host.invalid"),
        ("bob", {}, Exit.USAGE, "'bob' has no host: write bob@192.0.2.5"),
        ("", {}, Exit.USAGE, "'' has no host"),
        ("sip:bob", {}, Exit.PEER_GONE, "there is no host bob"),
        ("http://x", {}, Exit.USAGE, "cannot call 'http://x': "),
        ("sip:x@127.0.0.1", {"bind": "203.0.113.1:0"}, Exit.ADDRESS, "203.0.113.1"),
        ("sip:x@127.0.0.1", {"bind": "here:there"}, Exit.USAGE, "write 127.0.0.1:5060"),
        ("sip:x@127.0.0.1", {"rtp_ports": "10001-10010"}, Exit.USAGE, "start with 10002"),
        ("sip:x@127.0.0.1", {"rtp_ports": "many"}, Exit.USAGE, "write MIN-MAX"),
        ("sip:x@127.0.0.1", {"codecs": ("FOO",)}, Exit.USAGE, "unknown codec 'FOO'"),
        ("sip:x@127.0.0.1", {"play": Path(__file__)}, Exit.USAGE, "no audio file"),
        ("sip:x@127.0.0.1", {"record": Path("no-folder/x.wav")}, Exit.USAGE, "no folder"),
        ("sip:a b", {}, Exit.USAGE, "cannot call 'sip:a b': Bad URI; write sip:bob@"),
        ("sips:bob@127.0.0.1;transport=udp", {}, Exit.USAGE, "asks for udp, which is not among"),
        ("sip:bob@127.0.0.1;transport=sctp", {}, Exit.USAGE, "asks for sctp, which is not among"),
        ("sip:x@192.0.2.1", {"dtmf": "12x"}, Exit.USAGE, "'x' in '12x' is no DTMF key"),
        ("sip:x@192.0.2.1", {"record": Path("x.xyz")}, Exit.USAGE, "use .wav"),
        ("sip:x@192.0.2.1", {"record": Path(__file__).parent}, Exit.USAGE, "cannot be written"),
        ("sip:x@192.0.2.1", {"trace": Path(__file__).parent}, Exit.USAGE, "cannot be written"),
    ],
)
def test_what_a_person_can_put_right(
    target: str, changed: dict[str, Any], code: Exit, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def test() -> None:
        assert await place_call(target, cli_settings(**changed), Output(as_json=True)) is code

    run(test())
    captured = capsys.readouterr()
    assert words in captured.err
    summary = lines(captured.out)[-1]
    assert (summary["exit_code"], summary["meaning"]) == (code, code.words)


def test_checking_leaves_files_as_they_are(tmp_path: Path) -> None:
    old, new = tmp_path / "old.wav", tmp_path / "new.svg"
    old.write_bytes(b"of yesterday")
    cli_settings(record=old, trace=new).check()
    assert old.read_bytes() == b"of yesterday"
    assert not new.exists()


def test_a_taken_port_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    async def test() -> None:
        async with ScriptedPeer() as peer:
            code = await place_call(
                "sip:x@127.0.0.1", cli_settings(bind=f"127.0.0.1:{peer.port}"), Output(as_json=True)
            )
            assert code is Exit.ADDRESS
            assert str(peer.port) in capsys.readouterr().err

    run(test())


def test_for_people_it_shows_progress_and_the_ladder(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    async def answer(event: IncomingCall) -> None:
        event.call.ring()
        await event.call.answer()
        await event.call.play(np.zeros(2400, np.int16))  # long enough for the recording to have begun
        await event.call.send_dtmf("7", 40)
        await event.call.hangup()

    async def test() -> None:
        async with pair(answer) as phones:
            wanted = cli_settings(duration=None, trace=tmp_path / "call.txt", record=tmp_path / "call.wav")
            assert await place_call(phones.bobs_uri, wanted, Output()) is Exit.TALKED

    run(test())
    shown = capsys.readouterr().out
    for words in ("bob's phone rings", "answered, PCMU", "key 7", "bob hung up", "silence only", "─ BYE ─"):
        assert words in shown
    assert "bob hangs up" in (tmp_path / "call.txt").read_text(encoding="utf-8")
    assert (tmp_path / "call.wav").stat().st_size > 44


@pytest.mark.parametrize(
    ("typed", "meant", "bind"),
    [
        ("bob@127.0.0.1:5062", "sip:bob@127.0.0.1:5062", "127.0.0.1:0"),
        ("sip:bob@localhost", "sip:bob@localhost", "127.0.0.1:0"),
        ("bob@example.org", "sip:bob@example.org", "0.0.0.0:0"),
        ("bob@192.0.2.7", "sip:bob@192.0.2.7", "0.0.0.0:0"),
        ("sip:bob@[::1]:5062", "sip:bob@[::1]:5062", "[::1]:0"),
        ("sip:bob@[2001:db8::1]", "sip:bob@[2001:db8::1]", "[::]:0"),
    ],
)
def test_a_target_as_people_type_it(typed: str, meant: str, bind: str) -> None:
    assert complete(typed) == meant
    assert default_bind(typed) == bind


def test_the_caller_is_named() -> None:
    async def test() -> None:
        async with Softphone(Account("sip:bob@127.0.0.1"), bind="127.0.0.1:0") as bob:
            names: list[str] = []

            def on_call(event: IncomingCall) -> None:
                names.append(event.call.remote_name)
                event.call.reject()

            bob.on("incoming_call", on_call)
            await place_call(f"sip:b@127.0.0.1:{bob.address[1]}", cli_settings(), Output(as_json=True))
            assert names == ["caller"]

    run(test())


@pytest.mark.parametrize(
    ("bound", "target", "host"),
    [
        ("192.0.2.7", "sip:bob@127.0.0.1", "192.0.2.7"),
        ("localhost", "sip:bob@127.0.0.1", "localhost"),
        ("0.0.0.0", "sip:bob@127.0.0.1:5062", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "bob@pbx.example", "anonymous.invalid"),
        ("::", "", "anonymous.invalid"),
    ],
)
def test_what_we_call_ourselves(bound: str, target: str, host: str) -> None:
    assert own_host(bound, target) == host


def test_a_caller_without_an_account_may_listen_on_ipv6() -> None:
    async def test() -> None:
        phone = make_phone(
            cli_settings(bind="[::1]:0"), Output(), user="caller", usual_bind="", target="sip:bob@[::1]:5062"
        )
        assert phone.accounts[0].uri == "sip:caller@[::1]"

    run(test())


@pytest.mark.parametrize(
    ("target", "transport"),
    [("sip:b@127.0.0.1;transport=ws", "ws"), ("sips:b@127.0.0.1;transport=ws", "wss"), ("?", None)],
)
def test_a_uri_that_asks_for_a_web_socket_gets_one(target: str, transport: str | None) -> None:
    phone = make_phone(cli_settings(), Output(), user="caller", usual_bind="127.0.0.1:0", target=target)
    assert phone._transports == ("udp", "tcp", "tls", *([transport] if transport else []))
