"""The interactive menu: shows the examples and asks for a number until it gets one of them."""

from collections.abc import Mapping

from examples.kit.console import rule, say, show
from examples.kit.language import _
from examples.kit.registry import Example

LEAVE = {"q", "quit", "exit", "й", "выход"}


class MenuLeft(Exception):
    """The person left the menu without choosing; `after_mistake` when the last answer was wrong."""

    def __init__(self, *, after_mistake: bool) -> None:
        super().__init__("the menu was left")
        self.after_mistake = after_mistake


def show_titles(examples: Mapping[int, Example]) -> None:
    """Print a line for each example."""
    for entry in examples.values():
        show(f"{entry.number}. {entry.emoji} {_(entry.title)}")


def choose(examples: Mapping[int, Example]) -> Example:
    """Show the menu and give the chosen example. Raises MenuLeft at the end of input or on q."""
    say("🎯 Media Manager examples")
    rule(37)
    say()
    say("Choose the example to run:")
    show_titles(examples)
    say()
    mistaken = False
    while True:
        prompt = _("Enter the number of an example ({numbers}):").format(numbers=numbers_text(examples))
        try:
            answer = input(f"{prompt} ").strip()
        except EOFError:
            say()
            raise MenuLeft(after_mistake=mistaken) from None
        if answer.lower() in LEAVE:
            raise MenuLeft(after_mistake=False)
        chosen = find(examples, answer)
        if chosen is not None:
            return chosen
        mistaken = True
        say(
            "❌ There is no example «{answer}». Enter one of the numbers {numbers}, or q to leave.",
            answer=answer,
            numbers=numbers_text(examples),
        )


def find(examples: Mapping[int, Example], answer: str) -> Example | None:
    """The example whose number was typed ("3" or "3."), or None."""
    digits = answer.removesuffix(".")
    return examples.get(int(digits)) if digits.isascii() and digits.isdigit() and len(digits) < 5 else None


def numbers_text(examples: Mapping[int, Example]) -> str:
    """The numbers one may type: "1-7", or a list when there are gaps."""
    numbers = list(examples)
    if numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]}-{numbers[-1]}"
    return ", ".join(map(str, numbers))
