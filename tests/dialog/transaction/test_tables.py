"""Every pair of every machine."""

from __future__ import annotations

from itertools import product

import pytest

from dialog.transaction.client import ClientTransaction
from dialog.transaction.server import ServerTransaction
from dialog.transaction.tables import (
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Action,
    Input,
    State,
    Table,
    step,
)

TABLES = {
    "INVITE client": INVITE_CLIENT,
    "non-INVITE client": NON_INVITE_CLIENT,
    "INVITE server": INVITE_SERVER,
    "non-INVITE server": NON_INVITE_SERVER,
}
STATES = {
    "INVITE client": (State.CALLING, State.PROCEEDING, State.ACCEPTED, State.COMPLETED),
    "non-INVITE client": (State.TRYING, State.PROCEEDING, State.COMPLETED),
    "INVITE server": (State.PROCEEDING, State.ACCEPTED, State.COMPLETED, State.CONFIRMED),
    "non-INVITE server": (State.TRYING, State.PROCEEDING, State.COMPLETED),
}
START = {name: states[0] for name, states in STATES.items()}

table_names = pytest.mark.parametrize("name", TABLES)


@table_names
def test_every_pair_steps_to_a_state_of_the_figure(name: str) -> None:
    for state, happening in product(State, Input):
        after, actions = step(TABLES[name], state, happening)
        if (state, happening) in TABLES[name]:
            assert state in STATES[name]
            assert after in (*STATES[name], State.TERMINATED)
        else:
            assert (after, actions) == (state, ())


@table_names
def test_every_state_can_be_reached_and_left(name: str) -> None:
    reached = {START[name]}
    while True:
        more = {after for (state, _), (after, _) in TABLES[name].items() if state in reached} - reached
        if not more:
            break
        reached |= more
    assert reached == {*STATES[name], State.TERMINATED}
    for state in STATES[name]:
        assert any(before is state and after is not state for (before, _), (after, _) in TABLES[name].items())


@table_names
def test_nothing_leaves_terminated(name: str) -> None:
    assert not any(state is State.TERMINATED for state, _ in TABLES[name])


@table_names
def test_a_state_with_a_timer_was_entered_by_starting_it(name: str) -> None:
    started = {  # by what a transaction starts with, before its first transition
        "INVITE client": {"A", "B"},
        "non-INVITE client": {"E", "F"},
        "INVITE server": set(),
        "non-INVITE server": set(),
    }[name]
    letters = {happening.name[-1] for _, happening in TABLES[name] if happening.name.startswith("TIMER_")}
    for _, actions in TABLES[name].values():
        started |= {action.name[-1] for action in actions if action.name.startswith("START_")}
    assert letters == started


@pytest.mark.parametrize(
    ("kind", "tables"),
    [
        (ClientTransaction, (INVITE_CLIENT, NON_INVITE_CLIENT)),
        (ServerTransaction, (INVITE_SERVER, NON_INVITE_SERVER)),
    ],
)
def test_each_action_of_the_tables_is_carried_out(
    kind: type[ClientTransaction | ServerTransaction], tables: tuple[Table, ...]
) -> None:
    used = {action for table in tables for _, actions in table.values() for action in actions}
    assert used == set(kind.actions)


def test_no_action_is_unused() -> None:
    used = {action for table in TABLES.values() for _, actions in table.values() for action in actions}
    assert used == set(Action)
