"""The order of SRV records, and what is kept of answers."""

from __future__ import annotations

from collections import Counter
from random import Random

from dialog.dns import LONGEST_TTL, MAX_CACHED, Answer, AnswerCache, Naptr, Query, Srv, in_order


def test_priorities_come_before_weights() -> None:
    servers = [Srv(20, 1000, 5060, "late"), Srv(10, 0, 5060, "first"), Srv(30, 5, 5060, "last")]
    for seed in range(20):
        assert [one.target for one in in_order(servers, Random(seed))] == ["first", "late", "last"]


def test_weights_are_the_ratio_of_being_first() -> None:
    servers = [Srv(10, 60, 5060, "a"), Srv(10, 30, 5060, "b"), Srv(10, 10, 5060, "c")]
    random = Random(1)
    firsts = Counter(in_order(servers, random)[0].target for _ in range(5000))
    assert 0.55 < firsts["a"] / 5000 < 0.65
    assert 0.25 < firsts["b"] / 5000 < 0.35
    assert 0.07 < firsts["c"] / 5000 < 0.13


def test_no_weight_is_a_small_chance_and_every_server_comes_once() -> None:
    servers = [Srv(10, 0, 5060, "never?"), Srv(10, 10, 5060, "a"), Srv(10, 0, 5060, "nor?")]
    random = Random(1)
    firsts: Counter[str] = Counter()
    for _ in range(2000):
        ordered = in_order(servers, random)
        assert sorted(one.target for one in ordered) == ["a", "never?", "nor?"]
        firsts[ordered[0].target] += 1
    assert 0 < firsts["never?"] < firsts["a"] / 5
    assert in_order([], random) == []


def test_records_by_kind() -> None:
    srv, naptr = Srv(1, 1, 5060, "a"), Naptr(1, 1, "s", "SIP+D2U", "_sip._udp.a")
    answer = Answer((srv, naptr, "192.0.2.1"))
    assert (answer.servers, answer.pointers, answer.addresses) == ((srv,), (naptr,), ("192.0.2.1",))


def test_answers_are_kept_for_their_time() -> None:
    cache = AnswerCache()
    query = Query("ADDRESS", "example.com")
    answer = Answer(("192.0.2.1",), ttl=30.0)
    cache.put(query, answer, 100.0)
    assert cache.get(query, 129.9) is answer
    assert cache.get(query, 130.0) is None
    assert len(cache) == 0
    cache.put(query, Answer(("192.0.2.1",), ttl=1e9), 0.0)
    assert cache.get(query, LONGEST_TTL + 1) is None
    cache.put(query, Answer(ttl=0.0), 0.0)
    assert cache.get(query, 0.0) is None


def test_the_cache_is_bounded_and_forgets_the_oldest() -> None:
    cache = AnswerCache()
    for number in range(MAX_CACHED + 10):
        cache.put(Query("ADDRESS", str(number)), Answer(("192.0.2.1",)), 0.0)
    assert len(cache) == MAX_CACHED
    assert cache.get(Query("ADDRESS", "9"), 0.0) is None
    assert cache.get(Query("ADDRESS", "10"), 0.0) is not None
