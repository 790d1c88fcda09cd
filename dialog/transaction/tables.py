r"""The four transaction machines as data (RFC 3261 section 17, RFC 6026).

A table maps (state, input) to (next state, actions). A pair that is not in its table does nothing: the
input is absorbed and the state stays; `step` is the one place that says so. Timers keep their letters.

INVITE client, RFC 3261 figure 5 with RFC 6026 section 7.2          INVITE server, figure 7 with RFC 6026 7.1

            | INVITE sent                                              | INVITE passed up
            v                                                          v
       +---------+ 1xx    +------------+                         +------------+
    A/-| CALLING |------->| PROCEEDING |-\ 1xx                 /-| PROCEEDING |
    \->+---------+        +------------+<-/            INVITE  \>+------------+
      B|   |   | 2xx    2xx |    | 3-6xx                        2xx |     | 3-6xx
       |   |   |   +--------/    |                        +--------/      v
       |   |   v   v             v                        v         +-----------+
       |   | +----------+  +-----------+            +----------+    | COMPLETED |-\ G, INVITE
       |   | | ACCEPTED |  | COMPLETED |            | ACCEPTED |    +-----------+</
       |   | +----------+  +-----------+            +----------+     H|    | ACK
       |   |   M|   3-6xx->  ^   |D                    L|             |    v
       v   \----|------------/   v                      v             | +-----------+
       +------------------------------+             +-----------------v-|-+         |
       |          TERMINATED          |             |    TERMINATED     |<-I CONFIRMED
       +------------------------------+             +-------------------+ +---------+

Non-INVITE client, figure 6: TRYING -> PROCEEDING -> COMPLETED -> TERMINATED (E resends, F ends, K forgets)
Non-INVITE server, figure 8: TRYING -> PROCEEDING -> COMPLETED -> TERMINATED (J forgets)
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, auto

# IntEnum, because the hash of a plain Enum member is a Python-level call and these are dictionary keys on
# the path of every message.


class State(IntEnum):
    """Where a transaction stands."""

    CALLING = auto()
    TRYING = auto()
    PROCEEDING = auto()
    ACCEPTED = auto()
    COMPLETED = auto()
    CONFIRMED = auto()
    TERMINATED = auto()


class Input(IntEnum):
    """What can happen to a transaction."""

    # from the wire, client
    PROVISIONAL = auto()
    SUCCESS = auto()
    FAILURE = auto()
    # from the wire, server
    REQUEST = auto()
    ACK = auto()
    # from the transaction user
    SEND_PROVISIONAL = auto()
    SEND_SUCCESS = auto()
    SEND_FAILURE = auto()
    GIVE_UP = auto()
    # from the transport
    TRANSPORT_ERROR = auto()
    # timers
    TRYING_DUE = auto()
    TIMER_A = auto()
    TIMER_B = auto()
    TIMER_D = auto()
    TIMER_E = auto()
    TIMER_F = auto()
    TIMER_G = auto()
    TIMER_H = auto()
    TIMER_I = auto()
    TIMER_J = auto()
    TIMER_K = auto()
    TIMER_L = auto()
    TIMER_M = auto()


class Action(IntEnum):
    """What a transaction does on a transition."""

    PASS_UP = auto()
    SEND = auto()
    RESEND = auto()
    SEND_ACK = auto()
    SEND_TRYING = auto()
    STOP_TRYING = auto()
    REPORT_TIMEOUT = auto()
    REPORT_TRANSPORT = auto()
    DOUBLE_A = auto()
    STOP_A = auto()
    STOP_B = auto()
    START_D = auto()
    DOUBLE_E = auto()
    SLOW_E = auto()
    STOP_E = auto()
    STOP_F = auto()
    START_G = auto()
    DOUBLE_G = auto()
    STOP_G = auto()
    START_H = auto()
    STOP_H = auto()
    START_I = auto()
    START_J = auto()
    START_K = auto()
    START_L = auto()
    START_M = auto()


Table = Mapping[tuple[State, Input], tuple[State, tuple[Action, ...]]]

_S, _I, _A = State, Input, Action

INVITE_CLIENT: Table = {  # RFC 3261 figure 5, RFC 6026 section 7.2
    (_S.CALLING, _I.PROVISIONAL): (_S.PROCEEDING, (_A.STOP_A, _A.STOP_B, _A.PASS_UP)),
    (_S.CALLING, _I.SUCCESS): (_S.ACCEPTED, (_A.STOP_A, _A.STOP_B, _A.START_M, _A.PASS_UP)),
    (_S.CALLING, _I.FAILURE): (_S.COMPLETED, (_A.STOP_A, _A.STOP_B, _A.SEND_ACK, _A.START_D, _A.PASS_UP)),
    (_S.CALLING, _I.TIMER_A): (_S.CALLING, (_A.RESEND, _A.DOUBLE_A)),
    (_S.CALLING, _I.TIMER_B): (_S.TERMINATED, (_A.REPORT_TIMEOUT,)),
    (_S.CALLING, _I.TRANSPORT_ERROR): (_S.TERMINATED, (_A.REPORT_TRANSPORT,)),
    (_S.CALLING, _I.GIVE_UP): (_S.TERMINATED, ()),
    (_S.PROCEEDING, _I.PROVISIONAL): (_S.PROCEEDING, (_A.PASS_UP,)),
    (_S.PROCEEDING, _I.SUCCESS): (_S.ACCEPTED, (_A.START_M, _A.PASS_UP)),
    (_S.PROCEEDING, _I.FAILURE): (_S.COMPLETED, (_A.SEND_ACK, _A.START_D, _A.PASS_UP)),
    # The figures know no sending here; a lost connection is told so that nobody waits for ever.
    (_S.PROCEEDING, _I.TRANSPORT_ERROR): (_S.TERMINATED, (_A.REPORT_TRANSPORT,)),
    # A cancelled INVITE that gets no final response (section 9.1).
    (_S.PROCEEDING, _I.GIVE_UP): (_S.TERMINATED, ()),
    (_S.ACCEPTED, _I.SUCCESS): (_S.ACCEPTED, (_A.PASS_UP,)),
    (_S.ACCEPTED, _I.TIMER_M): (_S.TERMINATED, ()),
    (_S.COMPLETED, _I.FAILURE): (_S.COMPLETED, (_A.SEND_ACK,)),
    (_S.COMPLETED, _I.TRANSPORT_ERROR): (_S.TERMINATED, ()),
    (_S.COMPLETED, _I.TIMER_D): (_S.TERMINATED, ()),
}

NON_INVITE_CLIENT: Table = {  # RFC 3261 figure 6
    (_S.TRYING, _I.PROVISIONAL): (_S.PROCEEDING, (_A.SLOW_E, _A.PASS_UP)),
    (_S.TRYING, _I.SUCCESS): (_S.COMPLETED, (_A.STOP_E, _A.STOP_F, _A.START_K, _A.PASS_UP)),
    (_S.TRYING, _I.FAILURE): (_S.COMPLETED, (_A.STOP_E, _A.STOP_F, _A.START_K, _A.PASS_UP)),
    (_S.TRYING, _I.TIMER_E): (_S.TRYING, (_A.RESEND, _A.DOUBLE_E)),
    (_S.TRYING, _I.TIMER_F): (_S.TERMINATED, (_A.STOP_E, _A.REPORT_TIMEOUT)),
    (_S.TRYING, _I.TRANSPORT_ERROR): (_S.TERMINATED, (_A.STOP_E, _A.STOP_F, _A.REPORT_TRANSPORT)),
    (_S.TRYING, _I.GIVE_UP): (_S.TERMINATED, (_A.STOP_E, _A.STOP_F)),
    (_S.PROCEEDING, _I.PROVISIONAL): (_S.PROCEEDING, (_A.PASS_UP,)),
    (_S.PROCEEDING, _I.SUCCESS): (_S.COMPLETED, (_A.STOP_E, _A.STOP_F, _A.START_K, _A.PASS_UP)),
    (_S.PROCEEDING, _I.FAILURE): (_S.COMPLETED, (_A.STOP_E, _A.STOP_F, _A.START_K, _A.PASS_UP)),
    (_S.PROCEEDING, _I.TIMER_E): (_S.PROCEEDING, (_A.RESEND, _A.SLOW_E)),
    (_S.PROCEEDING, _I.TIMER_F): (_S.TERMINATED, (_A.STOP_E, _A.REPORT_TIMEOUT)),
    (_S.PROCEEDING, _I.TRANSPORT_ERROR): (_S.TERMINATED, (_A.STOP_E, _A.STOP_F, _A.REPORT_TRANSPORT)),
    (_S.PROCEEDING, _I.GIVE_UP): (_S.TERMINATED, (_A.STOP_E, _A.STOP_F)),
    (_S.COMPLETED, _I.TIMER_K): (_S.TERMINATED, ()),
}

INVITE_SERVER: Table = {  # RFC 3261 figure 7, RFC 6026 section 7.1
    (_S.PROCEEDING, _I.REQUEST): (_S.PROCEEDING, (_A.RESEND,)),
    (_S.PROCEEDING, _I.TRYING_DUE): (_S.PROCEEDING, (_A.SEND_TRYING,)),
    (_S.PROCEEDING, _I.SEND_PROVISIONAL): (_S.PROCEEDING, (_A.STOP_TRYING, _A.SEND)),
    (_S.PROCEEDING, _I.SEND_SUCCESS): (_S.ACCEPTED, (_A.STOP_TRYING, _A.SEND, _A.START_L)),
    (_S.PROCEEDING, _I.SEND_FAILURE): (_S.COMPLETED, (_A.STOP_TRYING, _A.SEND, _A.START_G, _A.START_H)),
    (_S.PROCEEDING, _I.TRANSPORT_ERROR): (_S.PROCEEDING, (_A.REPORT_TRANSPORT,)),
    (_S.ACCEPTED, _I.REQUEST): (_S.ACCEPTED, ()),  # a retransmission is absorbed: the 2xx has its own timer
    (_S.ACCEPTED, _I.ACK): (_S.ACCEPTED, (_A.PASS_UP,)),
    (_S.ACCEPTED, _I.SEND_SUCCESS): (_S.ACCEPTED, (_A.SEND,)),
    (_S.ACCEPTED, _I.TRANSPORT_ERROR): (_S.ACCEPTED, (_A.REPORT_TRANSPORT,)),
    (_S.ACCEPTED, _I.TIMER_L): (_S.TERMINATED, ()),
    (_S.COMPLETED, _I.REQUEST): (_S.COMPLETED, (_A.RESEND,)),
    (_S.COMPLETED, _I.ACK): (_S.CONFIRMED, (_A.STOP_G, _A.STOP_H, _A.START_I)),
    (_S.COMPLETED, _I.TIMER_G): (_S.COMPLETED, (_A.RESEND, _A.DOUBLE_G)),
    (_S.COMPLETED, _I.TIMER_H): (_S.TERMINATED, (_A.STOP_G, _A.REPORT_TIMEOUT)),
    (_S.COMPLETED, _I.TRANSPORT_ERROR): (_S.TERMINATED, (_A.STOP_G, _A.STOP_H, _A.REPORT_TRANSPORT)),
    (_S.CONFIRMED, _I.ACK): (_S.CONFIRMED, ()),
    (_S.CONFIRMED, _I.TIMER_I): (_S.TERMINATED, ()),
}

NON_INVITE_SERVER: Table = {  # RFC 3261 figure 8
    (_S.TRYING, _I.REQUEST): (_S.TRYING, ()),
    (_S.TRYING, _I.SEND_PROVISIONAL): (_S.PROCEEDING, (_A.SEND,)),
    (_S.TRYING, _I.SEND_SUCCESS): (_S.COMPLETED, (_A.SEND, _A.START_J)),
    (_S.TRYING, _I.SEND_FAILURE): (_S.COMPLETED, (_A.SEND, _A.START_J)),
    (_S.TRYING, _I.TRANSPORT_ERROR): (_S.TERMINATED, (_A.REPORT_TRANSPORT,)),
    (_S.PROCEEDING, _I.REQUEST): (_S.PROCEEDING, (_A.RESEND,)),
    (_S.PROCEEDING, _I.SEND_PROVISIONAL): (_S.PROCEEDING, (_A.SEND,)),
    (_S.PROCEEDING, _I.SEND_SUCCESS): (_S.COMPLETED, (_A.SEND, _A.START_J)),
    (_S.PROCEEDING, _I.SEND_FAILURE): (_S.COMPLETED, (_A.SEND, _A.START_J)),
    (_S.PROCEEDING, _I.TRANSPORT_ERROR): (_S.TERMINATED, (_A.REPORT_TRANSPORT,)),
    (_S.COMPLETED, _I.REQUEST): (_S.COMPLETED, (_A.RESEND,)),
    (_S.COMPLETED, _I.TRANSPORT_ERROR): (_S.TERMINATED, (_A.REPORT_TRANSPORT,)),
    (_S.COMPLETED, _I.TIMER_J): (_S.TERMINATED, ()),
}


def step(table: Table, state: State, happening: Input) -> tuple[State, tuple[Action, ...]]:
    """The next state and what to do. A pair the figure does not show changes nothing and does nothing."""
    return table.get((state, happening), (state, ()))
