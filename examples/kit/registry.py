"""The registry of examples: what ``@example`` puts in, the menu takes out."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

import examples
from examples.kit.language import _


class ExampleFailed(Exception):
    """An example could not do what it shows; the text is a (translated) sentence for the person."""


@dataclass(frozen=True, slots=True)
class Example:
    """One line of the menu, and the function that runs when it is chosen."""

    number: int
    emoji: str
    title: str
    """English, as in the source; the menu translates it when it is shown."""
    run: Callable[[], None]
    takes: tuple[str, ...] = ()
    """The options of the command line that mean something to it."""

    @property
    def file(self) -> str:
        """The file to open when one wants to read or change this example."""
        return self.run.__module__.replace(".", "/") + ".py"


_registered: dict[int, Example] = {}


def example(
    number: int, emoji: str, title: str, *, takes: tuple[str, ...] = ()
) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register the decorated function under `number`; `title` is translated when the menu is shown.

    `takes` names the options ("seed", "out") that it reads from `examples.kit.options`.

    Raises ValueError when another example already has that number.
    """

    def register(run: Callable[[], None]) -> Callable[[], None]:
        taken = _registered.get(number)
        if taken is not None and taken.run.__module__ != run.__module__:
            raise ValueError(f"example {number} is already {taken.file}; choose another number")
        _registered[number] = Example(number, emoji, title, run, takes)
        return run

    return register


def discover() -> dict[int, Example]:
    """Import every module of the examples folder and give what they registered, in order of number.

    Raises ExampleFailed when the settings at the top of one of them cannot be used.
    """
    for module in pkgutil.iter_modules(examples.__path__):
        if not module.ispkg and module.name != "__main__":
            try:
                importlib.import_module(f"{examples.__name__}.{module.name}")
            except ValueError as error:  # a bad address, a bad port range, a number that is taken
                message = _("examples/{name}.py has a setting that cannot be used: {reason}")
                raise ExampleFailed(message.format(name=module.name, reason=error)) from error
    return dict(sorted(_registered.items()))
