"""``sipmedia registrar``, ``register``, and calls of accounts: in virtual time, and as programs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trustme
from typer.testing import CliRunner

from sipmedia.cli.accounts import AccountOptions
from sipmedia.cli.answer import answer_calls
from sipmedia.cli.app import app
from sipmedia.cli.call import place_call
from sipmedia.cli.exits import Exit
from sipmedia.cli.output import Output
from sipmedia.cli.register import keep_registered
from sipmedia.cli.registrar import read_users, serve_domain
from sipmedia.errors import InvalidAddress
from tests.sipmedia.kit import cli_settings, run

SERVER = "127.0.0.1:5070"


class Told(Output):
    """Keeps the events, and lets a test wait for them."""

    def __init__(self) -> None:
        super().__init__(as_json=True)
        self.events: list[dict[str, Any]] = []
        self._changed = asyncio.Event()

    def event(self, name: str, sentence: str = "", **fields: Any) -> None:
        super().event(name, sentence, **fields)
        self.events.append({"event": name, "sentence": sentence, **fields})
        self._changed.set()

    def names(self) -> list[str]:
        return [event["event"] for event in self.events]

    async def until(self, name: str) -> dict[str, Any]:
        while name not in self.names():
            self._changed.clear()
            await self._changed.wait()
        return next(event for event in self.events if event["event"] == name)


def of(user: str, password_env: str = "PW") -> AccountOptions:
    return AccountOptions(registrar=SERVER, domain="example.org", user=user, password_env=password_env)


@pytest.fixture(autouse=True)
def _passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PW", "secret")
    monkeypatch.setenv("OTHER", "wrong")
    monkeypatch.setenv("SIPMEDIA_DEVICES", "off")


def test_registrar_answer_and_call(capsys: pytest.CaptureFixture[str]) -> None:
    async def test() -> None:
        home, desk, caller = Told(), Told(), Told()
        serving = asyncio.ensure_future(
            serve_domain("example.org", home, bind=SERVER, users=["alice", "bob"], password_envs=["PW"])
        )
        await home.until("listening")
        answering = asyncio.ensure_future(
            answer_calls(cli_settings(bind="", duration=1.0, account=of("bob")), desk, calls=1, echo=True)
        )
        await desk.until("registered")
        code = await place_call("bob", cli_settings(bind="", duration=1.0, account=of("alice")), caller)
        assert code is Exit.TALKED
        assert await answering is Exit.TALKED
        assert caller.names()[:2] == ["registered", "calling"]
        assert caller.events[1]["to"] == "sip:bob@example.org"
        routed = await home.until("routed")
        assert (routed["method"], routed["sender"]) == ("INVITE", "sip:alice@example.org")
        assert home.names().count("bindings") == 4
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    run(test())
    assert "secret" not in capsys.readouterr().out


def test_register_for_a_while() -> None:
    async def test() -> None:
        home, out, other = Told(), Told(), Told()
        serving = asyncio.ensure_future(serve_domain("example.org", home, bind=SERVER))
        await home.until("listening")
        first = asyncio.ensure_future(keep_registered(of("alice"), out, seconds=8000))
        await out.until("registered")
        await keep_registered(of("alice"), other, seconds=1)
        assert (await other.until("others"))["contacts"] == [out.events[1]["contact"]]
        assert await first is Exit.TALKED
        renewals = [event["renewal"] for event in out.events if event["event"] == "registered"]
        assert renewals == [False, True, True]
        assert [event["sentence"] != "" for event in out.events if event["event"] == "registered"] == [
            True, False, False
        ]  # fmt: skip
        assert out.names()[-2:] == ["unregistered", "summary"]
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    run(test(), 10_000)


def test_a_wrong_password_has_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    async def test() -> None:
        home, out = Told(), Told()
        serving = asyncio.ensure_future(
            serve_domain("example.org", home, bind=SERVER, users=["alice"], password_envs=["PW"])
        )
        await home.until("listening")
        assert await keep_registered(of("alice", "OTHER"), out) is Exit.NOT_REGISTERED
        failed = await out.until("registration_failed")
        assert (failed["status"], failed["sentence"]) == (401, "")  # the error says it
        assert (await home.until("refused"))["why"] == "wrong password"
        for command in (answer_calls, lambda *args: place_call("bob", *args)):
            told = Told()
            settings = cli_settings(bind="", account=of("alice", "OTHER"))
            assert await command(settings, told) is Exit.NOT_REGISTERED
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    run(test())
    assert "refused by realm" in capsys.readouterr().err


def test_register_whom() -> None:
    async def test() -> None:
        out = Told()
        assert await keep_registered(AccountOptions(), out) is Exit.USAGE
        assert "--user" in (await out.until("error"))["message"]

    run(test())


def test_an_address_that_is_taken() -> None:
    async def test() -> None:
        first, second = Told(), Told()
        serving = asyncio.ensure_future(serve_domain("example.org", first, bind=SERVER))
        await first.until("listening")
        assert await serve_domain("example.org", second, bind=SERVER) is Exit.ADDRESS
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    run(test())


def test_users_and_their_passwords(tmp_path: Path) -> None:
    config = tmp_path / "users.toml"
    config.write_text('[users]\ncarol = "OTHER"\n', encoding="utf-8")
    assert read_users([], [], None) is None
    assert read_users(["a", "b"], ["PW"], None) == {"a": "secret", "b": "secret"}
    assert read_users(["a", "b"], ["PW", "OTHER"], config) == {"a": "secret", "b": "wrong", "carol": "wrong"}


@pytest.mark.parametrize(
    ("users", "variables", "text", "why"),
    [
        ([], ["PW"], None, "for whom"),
        (["a", "b", "c"], ["PW", "OTHER"], None, "every --user needs"),
        (["a"], ["SIPMEDIA_NOT_SET"], None, "environment has no SIPMEDIA_NOT_SET"),
        ([], [], "users = 3", "names no users"),
        ([], [], "= =", "cannot be read"),
    ],
)
def test_users_that_cannot_be(
    tmp_path: Path, users: list[str], variables: list[str], text: str | None, why: str
) -> None:
    config = None
    if text is not None:
        config = tmp_path / "users.toml"
        config.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidAddress, match=why):
        read_users(users, variables, config)


@pytest.mark.parametrize("transport", ["udp", "tls"])
def test_as_programs(tmp_path: Path, transport: str) -> None:
    """Two terminals: a registrar, and a phone that registers with it until it is told to stop."""
    authority, certificate = tmp_path / "authority.pem", tmp_path / "server.pem"
    environment = os.environ | {"NO_COLOR": "1", "TERM": "dumb", "SSL_CERT_FILE": str(authority)}
    sipmedia = [sys.executable, "-m", "sipmedia"]
    options = ["--domain", "example.org", "--user", "alice", "--password-env", "PW", "--json"]
    serve = [*sipmedia, "registrar", "--bind", "127.0.0.1:0", *options]
    if transport == "tls":
        made = trustme.CA()
        made.cert_pem.write_to_path(authority)
        made.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
        serve += ["--tls-certificate", str(certificate), "--algorithm", "sha-256"]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        listening = json.loads(server.stdout.readline())
        address = listening["tls_address" if transport == "tls" else "address"]
        register = [*sipmedia, "register", "--registrar", address, "--transport", transport, *options]
        with subprocess.Popen(register, stdout=subprocess.PIPE, text=True, env=environment) as phone:
            assert phone.stdout is not None
            lines = [json.loads(phone.stdout.readline()) for _ in range(2)]
            assert [line["event"] for line in lines] == ["listening", "registered"]
            phone.send_signal(signal.SIGINT)
            output, _ = phone.communicate(timeout=20)
            assert json.loads(output.splitlines()[-1])["exit_code"] == 0
            assert phone.returncode == 0
        server.send_signal(signal.SIGINT)
        output, _ = server.communicate(timeout=20)
        assert [json.loads(line)["event"] for line in output.splitlines()] == [
            "bindings",
            "bindings",
            "summary",
        ]
        assert server.returncode == 0


def test_a_key_needs_its_certificate(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["registrar", "--tls-port", "5071"])
    assert result.exit_code == 2
    assert "--tls-certificate" in result.output
