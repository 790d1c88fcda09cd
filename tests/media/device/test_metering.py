"""Levels, clipping, silence."""

import numpy as np
import pytest

from media.device.metering import FLOOR_DBFS, Meter


def test_a_full_scale_square_is_at_the_top() -> None:
    meter = Meter()
    meter.measure(np.full(160, -32768, np.int16), 8000)
    level = meter.take()
    assert (level.peak_dbfs, level.rms_dbfs, level.clipped) == (0.0, 0.0, 160)


def test_a_tone_has_three_decibels_between_peak_and_mean() -> None:
    meter = Meter()
    tone = np.rint(16384 * np.sin(np.arange(8000) * 2 * np.pi / 80)).astype(np.int16)
    for start in range(0, 8000, 160):
        meter.measure(tone[start : start + 160], 8000)
    level = meter.take()
    assert level.peak_dbfs == pytest.approx(-6.02, abs=0.01)
    assert level.rms_dbfs == pytest.approx(-9.03, abs=0.01)
    assert level.clipped == 0


def test_silence_is_counted_until_there_is_anything() -> None:
    meter = Meter()
    for _ in range(60):
        for _ in range(5):
            meter.measure(np.zeros(160, np.int16), 8000)
        level = meter.take()
    assert level.silent_s == pytest.approx(6.0)
    assert level.peak_dbfs == level.rms_dbfs == FLOOR_DBFS
    faint = np.zeros(160, np.int16)
    faint[7] = 1
    meter.measure(faint, 8000)
    assert meter.take().silent_s == 0.0


def test_taking_starts_anew() -> None:
    meter = Meter()
    meter.measure(np.full(10, 1000, np.int16), 8000)
    meter.take()
    assert meter.take().peak_dbfs == FLOOR_DBFS


def test_nobody_looks_and_nothing_piles_up() -> None:
    meter = Meter()
    meter.measure(np.full(160, 30000, np.int16), 8000)
    for _ in range(1000):
        meter.measure(np.full(160, 1000, np.int16), 8000)
    assert meter.take().peak_dbfs == pytest.approx(-30.3, abs=0.1)
