"""sipmedia/errors.py: what people read."""

from typing import get_args

import pytest

from sipmedia import CallFailed, SipMediaError
from sipmedia.errors import FailureCause


@pytest.mark.parametrize("status", [*range(300, 700, 7), 486, 603])
def test_every_status_gets_a_sentence_with_the_status_in_it(status: int) -> None:
    text = str(CallFailed(status, "Some Reason"))
    assert text.endswith(f"({status} Some Reason)")
    assert (
        "the far end" in text or "user" in text or "codec" in text or "the address" in text or "a p" in text
    )


@pytest.mark.parametrize("cause", get_args(FailureCause))
def test_every_cause_gets_a_sentence(cause: FailureCause) -> None:
    error = CallFailed(488, "their words", cause, "their warning")
    assert isinstance(error, SipMediaError)
    assert str(error).endswith(": their warning")
    assert error.cause == cause
