"""Options that several commands have, told once: as the fields of a dataclass.

    @dataclass(frozen=True)
    class Server:
        host: Annotated[str, typer.Option(help="Its name.")] = "localhost"

    @app.command()
    @with_groups
    def ask(*, server: Server, loud: Annotated[bool, typer.Option("--loud")] = False) -> None: ...

Typer makes one option of every parameter of a command. Here a parameter may be a dataclass: it is made of as
many options as that has annotated fields, those of dataclasses in it included. Fields without `Annotated`
are no options: they keep their defaults, for the command to fill.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, get_origin, get_type_hints


def with_groups(command: Callable[..., None]) -> Callable[..., None]:
    """The command as typer can read it: the fields of its dataclasses in the place of these."""
    parameters = inspect.signature(command, eval_str=True).parameters.values()
    groups = {each.name: each.annotation for each in parameters if _is_group(each.annotation)}

    @functools.wraps(command)
    def run(**values: Any) -> None:
        filled = {name: _filled(group, values) for name, group in groups.items()}
        command(**filled, **values)

    spread: list[inspect.Parameter] = []
    for each in parameters:
        spread += _options(each.annotation) if each.name in groups else [each]
    vars(run)["__signature__"] = inspect.Signature(spread)
    return run


def _is_group(kind: Any) -> bool:
    return isinstance(kind, type) and is_dataclass(kind)


def _members(group: type) -> Iterator[tuple[str, Any, Any]]:
    """Name, type and default of each field."""
    hints = get_type_hints(group, include_extras=True)
    for field in fields(group):
        yield field.name, hints[field.name], field.default


def _options(group: type) -> Iterator[inspect.Parameter]:
    for name, kind, default in _members(group):
        if _is_group(kind):
            yield from _options(kind)
        elif get_origin(kind) is Annotated:
            yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def _filled(group: type, values: dict[str, Any]) -> Any:
    """The dataclass with the values of its options, which are taken out of `values`."""
    given: dict[str, Any] = {}
    for name, kind, _ in _members(group):
        if _is_group(kind):
            given[name] = _filled(kind, values)
        elif get_origin(kind) is Annotated:
            given[name] = values.pop(name)
    return group(**given)
