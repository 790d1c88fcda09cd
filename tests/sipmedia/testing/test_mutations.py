"""docs/testing.md: its first test passes, and names the cause when the product is broken."""

from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[3] / "docs" / "testing.md"


def _first_test() -> str:
    """The first Python of the tutorial."""
    return DOCS.read_text(encoding="utf-8").split("```python\n", 1)[1].split("```", 1)[0]


def test_it_is_short_and_passes(pytester: pytest.Pytester) -> None:
    source = _first_test()
    assert len([line for line in source.splitlines() if line.strip()]) < 30
    pytester.makepyfile(source)
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=1)


def test_the_other_tests_of_the_page_pass(pytester: pytest.Pytester) -> None:
    blocks = [block.split("```", 1)[0] for block in DOCS.read_text(encoding="utf-8").split("```python\n")[2:]]
    for number, block in enumerate(blocks):
        if "def test_" in block:
            pytester.makepyfile(**{f"test_block_{number}": block})
        else:
            pytester.makepyfile(**{f"test_block_{number}": block + "\n\ndef test_ran(): pass\n"})
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=6)


WRONG_DECODING_TABLE = """
from media.codec import g711
g711.MU_LAW_DECODE[:] = g711.A_LAW_DECODE
"""
WRONG_ENCODING_TABLE = """
from media.codec import g711
g711.MU_LAW_ENCODE[:] = g711.A_LAW_ENCODE
"""
NO_ACK = """
from dialog.core import Core
Core.send_ack = lambda *arguments, **named: None
"""
SWAPPED_BYTES_WRITTEN = """
from media.audio.graph import SampleSource
true_init = SampleSource.__init__
def init(self, samples, *args, **more):
    true_init(self, samples.byteswap(), *args, **more)
SampleSource.__init__ = init
"""
NO_KEYS = """
from media.dtmf.telephone_event import TelephoneEventReceiver
TelephoneEventReceiver.receive = lambda *arguments: ()
"""
NO_BYE = """
from dialog.usage.invite import InviteUsage
InviteUsage.bye = lambda *arguments: None
"""
NO_JITTER_BUFFER = """
from media.audio.jitter_buffer import JitterBuffer
true_init = JitterBuffer.__init__
JitterBuffer.__init__ = lambda self, rate, frame, **more: true_init(self, rate, frame, hold=False)
"""


@pytest.mark.parametrize(
    ("mutation", "cause"),
    [
        pytest.param(WRONG_DECODING_TABLE, "alice's PCMU decoder: the packets hold the clip", id="decoding"),
        pytest.param(
            WRONG_ENCODING_TABLE, "bob's PCMU encoder: what it was given was the clip", id="encoding"
        ),
        pytest.param(NO_ACK, "alice never sent an ACK", id="no_ack"),
        pytest.param(SWAPPED_BYTES_WRITTEN, "the byte order of what bob was given", id="swapped_bytes"),
        pytest.param(NO_KEYS, "bob's receiver of keys (RFC 4733): the packets hold them", id="no_keys"),
        pytest.param(NO_BYE, "'BYE' was never sent by bob or alice", id="no_bye"),
        pytest.param(NO_JITTER_BUFFER, "alice's jitter buffer: ??% of the sound was made up", id="no_buffer"),
    ],
)
def test_a_broken_product_fails_it_and_the_message_names_the_cause(
    pytester: pytest.Pytester, mutation: str, cause: str
) -> None:
    pytester.makeconftest(mutation)
    pytester.makepyfile(_first_test())
    result = pytester.runpytest_subprocess("-q")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"*cause: {cause}*"])
