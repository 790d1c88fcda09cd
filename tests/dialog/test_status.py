"""dialog/status.py"""

import pytest

from dialog.status import REASON_PHRASES, reason_phrase


@pytest.mark.parametrize(
    ("status", "phrase"),
    [(200, "OK"), (486, "Busy Here"), (499, "Request Failure"), (299, "Success"), (699, "Global Failure")],
)
def test_reason_phrase(status: int, phrase: str) -> None:
    assert reason_phrase(status) == phrase


def test_all_are_statuses_in_order() -> None:
    assert list(REASON_PHRASES) == sorted(REASON_PHRASES)
    assert all(100 <= status <= 699 for status in REASON_PHRASES)
