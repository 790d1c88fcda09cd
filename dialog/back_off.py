"""When to ask a registrar again, after success and after failure."""

from __future__ import annotations

from dialog.grammar import delta_seconds
from dialog.message import Response

BASE_DELAY = 30.0
"""Seconds: the first back-off is 50 to 100 % of twice this (RFC 5626 section 4.5, all flows failed)."""
MAX_DELAY = 1800.0
"""Seconds: the longest back-off, 50 to 100 % of it."""


def refresh_after(granted: float, chance: float) -> float:
    """When to register again: early enough for a retry or two, and not all accounts at once.

    A long registration is renewed when 80 to 90 % of it have passed, 36 s before its end at the latest, one
    of a minute after about half its time.
    """
    lead = min(max(0.1 * granted, 36.0), 0.45 * granted) + 0.1 * granted * chance
    return granted - lead


def back_off(failures: int, chance: float) -> float:
    """Seconds to wait after so many failures in a row, `chance` from 0 to 1 (RFC 5626 section 4.5)."""
    longest = min(MAX_DELAY, BASE_DELAY * 2.0 ** min(failures, 16))
    return longest * (0.5 + 0.5 * chance)


def retry_after(response: Response) -> float | None:
    """Seconds that Retry-After asks for (section 20.33), a day at most; None without it."""
    seconds = delta_seconds(
        (response.headers.get("Retry-After") or "").partition(";")[0].partition("(")[0].strip()
    )
    return None if seconds is None else min(float(seconds), 86400.0)
