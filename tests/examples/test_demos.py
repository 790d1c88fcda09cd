"""Every example in both languages, run as a person runs it: the lines of the document and real counts."""

import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest

from tests.thoroughness import long

ROOT = Path(__file__).resolve().parents[2]
ID = r"[0-9a-f]{8}\.\.\."
LOCAL = r"127\.0\.0\.1:\d+"


LONG = tuple((number, language) for number in (6, 5, 9, 10, 11) for language in ("ru", "en"))
"""What takes seconds, spent waiting: run side by side, as people may run them too."""

_pool = ThreadPoolExecutor(max_workers=4)


@cache
def started(number: int, language: str) -> "Future[subprocess.CompletedProcess[bytes]]":
    """An example on its way."""

    def run() -> subprocess.CompletedProcess[bytes]:
        with tempfile.TemporaryDirectory() as folder:  # example 6 saves what it recorded where it is run
            return subprocess.run(
                [sys.executable, "-m", "examples", str(number), "--lang", language],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                capture_output=True,
                timeout=100,
            )

    return _pool.submit(run)


@cache
def output(number: int, language: str) -> list[str]:
    """The lines that an example prints; it must succeed and leave the error output empty."""
    if (number, language) in LONG:
        for other in LONG:
            started(*other)
    done = started(number, language).result()
    assert done.stderr.decode() == ""
    assert done.returncode == 0
    return done.stdout.decode().splitlines()


def assert_in_order(lines: list[str], patterns: list[str]) -> None:
    """Each pattern matches a whole line, one after the other; other lines may stand between."""
    at = 0
    for pattern in patterns:
        found = next((i for i in range(at, len(lines)) if re.fullmatch(pattern, lines[i])), None)
        assert found is not None, f"{pattern!r} is not among\n" + "\n".join(lines[at:])
        at = found + 1


PEER_TO_PEER = [
    "🎯 Демонстрация Media Manager: Peer-to-Peer коммуникация",
    "={60}",
    "",
    r"📦 1\. Создание Media Manager на localhost\.\.\.",
    "✅ Media Manager создан успешно",
    r"   📍 Локальный IP: 127\.0\.0\.1",
    "   🔌 Диапазон портов: 10000-10100",
    "",
    r"🚀 2\. Создание первой сессии \(Caller\) с SDP offer\.\.\.",
    rf"🎉 Событие: Сессия создана \[{ID}\]",
    f"✅ Caller сессия создана: {ID}",
    f"   📍 Локальный адрес: {LOCAL}",
    r"   📄 SDP Offer \(\d+ символ(а|ов|)\):",
    "---",
    "v=0",
    r"m=audio \d+ RTP/AVP 0 8 9 101",
    "---",
    r"📞 3\. Создание второй сессии \(Callee\) из SDP offer\.\.\.",
    rf"🎉 Событие: Сессия создана \[{ID}\]",
    f"✅ Callee сессия создана: {ID}",
    r"   📄 SDP Answer \(\d+ символ(а|ов|)\):",
    "---",
    "v=0",
    "---",
    r"🔗 4\. Установка соединения между сессиями\.\.\.",
    f"   📞 Caller: {LOCAL} → {LOCAL}, состояние: active",
    f"   📱 Callee: {LOCAL} → {LOCAL}, состояние: active",
    r"🎵 5\. .* каждые 20 мс\.\.\.",
    *(r"   📤 (Caller → Callee|Callee → Caller): пакет \d \(160 отсчётов\)" for _ in range(10)),
    "   📥 Callee получил: 5 пакетов",
    "   📥 Caller получил: 5 пакетов",
    r"📊 6\. Статистика сессий:",
    *(
        rf"   📞 Caller \[{ID}\]:",
        "      Состояние: active",
        r"      Длительность: \d+\.\d\d с",
        r"      Последняя активность: \d\.\d\d с назад",
        "      Потоков: 1",
        r"      Отправлено: 5 пакетов, \d+ байт",
        r"      Получено: 5 пакетов, \d+ байт",
    ),
    rf"   📱 Callee \[{ID}\]:",
    r"      Получено: 5 пакетов, \d+ байт",
    r"🛑 7\. Корректное завершение\.\.\.",
    rf"🔚 Событие: Сессия закрыта \[{ID}\]",
    rf"🔚 Событие: Сессия закрыта \[{ID}\]",
    "✅ Все сессии закрыты, осталось сессий: 0",
    "🎉 Демонстрация завершена успешно!",
    *("   ✓ .*" for _ in range(6)),
]

SIMPLE = [
    "🎯 Простой пример Media Manager",
    "={31}",
    "",
    r"📦 Шаг 1: Создание конфигурации\.\.\.",
    r"   IP: 127\.0\.0\.1, Порты: 10000-10050",
    "",
    r"🚀 Шаг 2: Создание Media Manager\.\.\.",
    "   ✅ Media Manager запущен",
    "",
    r"📞 Шаг 3: Создание Caller сессии\.\.\.",
    rf"   🔔 Событие: Сессия создана \[{ID}\]",
    *(rf".. ?Шаг {step}: .*" for step in range(4, 9)),
    "   ✅ Осталось сессий: 0",
]

ADVANCED = [
    "🚀 Запуск продвинутой демонстрации Media Manager",
    "={51}",
    "",
    r"📦 Создание Media Manager с расширенной конфигурацией\.\.\.",
    "✅ Media Manager запущен",
    r"   🎵 Поддерживаемые кодеки: \[PCMU PCMA G722\]",
    "",
    r"🔗 Демонстрация множественных сессий\.\.\.",
    *(rf"   ✅ Пара {n}: \[{ID}\] {LOCAL} ↔ \[{ID}\] {LOCAL}, кодек PCMU" for n in (1, 2, 3)),
    "   📊 Всего сессий: 6",
    r"   🎯 PCMU предпочтителен: предложено \[PCMU PCMA G722\], .* → PCMU",
    r"   🎯 .*: предложено \[G722 PCMA\], поддерживается \[PCMA PCMU\] → PCMA",
    r"   🎯 три кодека против двух: .* → PCMA",
    "   ✅ Неизвестная сессия: UnknownSession: .*no-such-session.*",
    "   ✅ Неверный SDP: BadSdp: bad SDP: line 2.*",
    "   ✅ Answer без сессии: UnknownSession: .*",
    r"   ✅ Диапазон портов исчерпан: PortsExhausted: .* 12\d\d\d-12\d\d\d.*",
    r"   ✅ Порт занят: AddressInUse: UDP port 12\d\d\d .*",
    "   ✅ Нет общего кодека: NoCommonCodec: .*G722.*PCMU.*",
    r"   🎵 Другая сторона получила: [1-9]\d* пакет.*",
    "   🔢 DTMF отправлены: 1 2 3; другая сторона получила 3 из 3",
    r"   \[ *0\.\d{3}\] session_created  .*",
    *(rf"   \[ *\d\.\d{{3}}\] dtmf_received    \[{ID}\] {digit}" for digit in "123"),
    r"   \[ *\d\.\d{3}\] session_closed   .*",
    *(
        r"   ⏱️ \d\.\d\d с: отправлено [1-9]\d*, получено [1-9]\d*, потеряно \d+, джиттер \d+\.\d\d мс"
        for _ in range(4)
    ),
    "   📊 Всего: отправлено 300, получено 300, потеряно 0",
    "✅ Продвинутая демонстрация завершена",
]

BASIC_OPERATIONS = [
    "⚙️ Базовые операции Media Manager",
    *(
        rf"✅ {operation}: .*"
        for operation in (
            "start",
            "create_offer",
            "create_session_from_sdp",
            "create_session_from_description",
            "create_answer",
            "update_session",
            "get_session",
            "list_sessions",
            "get_session_statistics",
            "close_session",
            "stop",
        )
    ),
]

RUN_ALL = [
    PEER_TO_PEER[0],
    SIMPLE[0],
    ADVANCED[0],
    BASIC_OPERATIONS[0],
    "🎯 Все примеры выполнены: 1, 2, 3, 4",
]

SIP_CALL = [
    "☎️ Звонок SIP между двумя софтфонами",
    "📞 Алиса звонит Бобу .*",
    "🤝 Боб ответил .*",
    "👋 Алиса кладёт трубку .*",
    ".* INVITE .*",
    ".* BYE .*",
    r"   🎵 alice слышит bob: сходство [01]\.\d\d, задержка -?\d+ мс",
    r"   🎵 bob слышит alice: сходство [01]\.\d\d, задержка -?\d+ мс",
    "   🔢 alice получает клавиши: 7",
    "   🔢 bob получает клавиши: 4 2 #",
    r"   📦 alice: отправлено [1-9]\d* пакет.*, получено [1-9]\d* пакет.*, потеряно 0",
    r"   💾 Сохранено в calls/example-[\d-]+: .*\.wav, .*",
    "✅ Стороны услышали друг друга",
]

SIMULATED_HOUR = [
    "⏩ Час разговора за секунды",
    "={33}",
    "",
    "🎲 Зерно 1: .*",
    *(rf"   ⏱️ {minutes} мин: потери \d+\.\d %, .*" for minutes in range(10, 61, 10)),
    r"✅ 60 мин разговора за \d+\.\d с: в \d+ раз быстрее, чем в жизни",
    r"   📦 Алиса: 17\d{4} пакет(а|ов|), потеряно \d{4} \(\d\.\d %\), джиттер .* мс, MOS 4\.\d",
    r"   📦 Боб: 17\d{4} пакет(а|ов|), потеряно \d{4} \(\d\.\d %\), джиттер .* мс, MOS 4\.\d",
    "💾 Сохранено в calls/simulated-hour:",
    r"   call\.pcapng: [0-9a-f]{16}",
    r"   b\.wav: [0-9a-f]{16}",
]

LIBRARY_USE = [
    "📚 Библиотека в тридцать строк",
    r"async def call_bob\(\).*",
    r"   🎵 Боб услышал звук: 0\.\d\d с",
    "   🔢 Боб получил клавиши: 4 2",
    "✅ Готово",
]


@pytest.mark.parametrize(
    ("number", "patterns"),
    [
        (1, PEER_TO_PEER),
        (2, SIMPLE),
        (3, ADVANCED),
        (4, BASIC_OPERATIONS),
        pytest.param(5, RUN_ALL, marks=pytest.mark.slow),
        pytest.param(6, SIP_CALL, marks=pytest.mark.slow),
        (7, LIBRARY_USE),
        pytest.param(8, SIMULATED_HOUR, marks=[pytest.mark.slow, long]),
    ],
    ids=[
        "peer_to_peer",
        "simple",
        "advanced",
        "basic_operations",
        "run_all",
        "sip_call",
        "library",
        "hour",
    ],
)
def test_the_lines_of_the_document(number: int, patterns: list[str]) -> None:
    assert_in_order(output(number, "ru"), patterns)


def test_the_document_s_beginnings_are_line_for_line() -> None:
    """Where the document shows an unbroken run of lines, no other line stands between ours."""
    for number, patterns, count in ((1, PEER_TO_PEER, 14), (2, SIMPLE, 10), (3, ADVANCED, 8)):
        for line, pattern in zip(output(number, "ru")[:count], patterns, strict=False):
            assert re.fullmatch(pattern, line), (line, pattern)


def test_the_stated_length_of_the_sdp_is_its_length() -> None:
    lines = output(1, "ru")
    heading = next(i for i, line in enumerate(lines) if "SDP Offer (" in line)
    end = lines.index("---", heading + 2)
    stated = int("".join(filter(str.isdigit, lines[heading])))
    assert stated == sum(len(line) + len("\r\n") for line in lines[heading + 2 : end])


def test_live_statistics_move() -> None:
    readings = [line for line in output(3, "ru") if line.startswith("   ⏱️")]
    received = [int(re.findall(r"\d+", line)[3]) for line in readings]
    assert received == sorted(set(received))


@pytest.mark.parametrize(
    "number",
    [1, 2, 3, 4, pytest.param(5, marks=pytest.mark.slow), pytest.param(6, marks=pytest.mark.slow), 7],
)
def test_english_is_whole(number: int) -> None:
    lines = output(number, "en")
    assert not [line for line in lines if re.search("[а-яА-ЯёЁ]", line)]
    assert lines[0] != output(number, "ru")[0]


@pytest.mark.parametrize("number", [1, 2, 4])
def test_both_languages_say_as_much(number: int) -> None:
    assert len(output(number, "en")) == len(output(number, "ru"))


@pytest.mark.parametrize(
    ("lang", "verdict"), [("ru", "✅ Каждый услышал.*"), ("en", "✅ Each heard the other.*")]
)
def test_a_call_through_two_headsets(lang: str, verdict: str) -> None:
    lines = output(9, lang)
    assert_in_order(
        lines, [r".*PCMU.*", r" *🎚️.*-\d+.*-\d+.*", r" *📊.*", r" *📊.*", r"🎵.*0\.\d\d|🎵.*1\.00", verdict]
    )


@pytest.mark.parametrize(("lang", "verdict"), [("ru", "✅ Звонок прозвенел.*"), ("en", "✅ The bell rang.*")])
def test_a_doorbell(lang: str, verdict: str) -> None:
    assert_in_order(output(10, lang), ["👆.*", " *🔔.*", " *🗣️.*", " *🔓.*", "📞.*", " *🚪.*", verdict])


@pytest.mark.parametrize(("lang", "verdict"), [("ru", "✅ Слышно было.*"), ("en", "✅ Only what was said.*")])
def test_push_to_talk(lang: str, verdict: str) -> None:
    assert_in_order(
        output(11, lang), [" *🔴.*", " *⚪.*", " *🔴.*", " *⚪.*", r"🎵.*\d\.\d.*2\.0.*", verdict]
    )
