"""media/planning.py: plans of agreements and of open offers."""

from media.codec import registry
from media.plan import MediaDirection
from media.planning import agreed_plan, offering_plan
from media.sdp.local_audio import LocalAudio
from media.sdp.negotiation import Negotiation

PCMU, PCMA, G722 = (registry.get(name) for name in ("PCMU", "PCMA", "G722"))
LOCAL = LocalAudio("127.0.0.1", 4000, (PCMU, G722), ptime_ms=30)


def test_agreement() -> None:
    alice, bob = Negotiation(1), Negotiation(2)
    bob.set_remote_offer(alice.create_offer(LOCAL))
    bob.create_answer(LocalAudio("127.0.0.1", 5000, (G722,)))
    assert bob.audio is not None
    plan = agreed_plan(bob.audio, {8: PCMA}, "me")
    assert (plan.send_codec, plan.send_payload_type) == (G722, 9)
    assert plan.receive_codecs == {8: PCMA, 9: G722}
    assert (plan.telephone_event_send, plan.telephone_event_receive) == (101, 101)
    assert (plan.remote_rtp, plan.ptime_ms, plan.cname) == (("127.0.0.1", 4000), 30, "me")
    assert plan.direction is MediaDirection.SENDRECV


def test_first_offer_only_listens() -> None:
    machine = Negotiation(1)
    machine.create_offer(LOCAL)
    plan = offering_plan(LOCAL, machine.offered_codecs, machine.offered_events, None, "me")
    assert plan.send_codec is None
    assert plan.receive_codecs == {0: PCMU, 9: G722}
    assert plan.telephone_event_receive == 101
    assert plan.direction is MediaDirection.RECVONLY
    assert plan.remote_rtp is None
    silent = LocalAudio("127.0.0.1", 4000, (PCMU,), direction=MediaDirection.SENDONLY)
    assert offering_plan(silent, {}, None, None, "me").direction is MediaDirection.INACTIVE


def test_new_offer_keeps_all_that_runs() -> None:
    machine = Negotiation(1)
    machine.set_remote_offer(Negotiation(2).create_offer(LocalAudio("127.0.0.1", 5000, (PCMA,))))
    machine.create_answer(LocalAudio("127.0.0.1", 4000, (PCMA,)))
    assert machine.audio is not None
    running = agreed_plan(machine.audio, {}, "me")
    machine.create_offer(LOCAL)
    plan = offering_plan(LOCAL, machine.offered_codecs, machine.offered_events, running, "me")
    assert plan.receive_codecs == {0: PCMU, 8: PCMA, 9: G722}
    assert (plan.send_codec, plan.direction, plan.remote_rtp) == (PCMA, running.direction, running.remote_rtp)
