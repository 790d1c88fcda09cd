"""Example 5: examples 1 to 4 in turn, and then what ran."""

from examples.kit import ExampleFailed, _, example, say
from examples.kit.command import run
from examples.kit.registry import discover

NUMBERS = (1, 2, 3, 4)


@example(5, "🎯", "Run all the examples in turn")
def run_all() -> None:
    """Run them; one that fails does not keep the others from running."""
    examples = discover()
    failed = []
    for number in NUMBERS:
        if not run(examples[number]):
            failed.append(number)
        say()
    ran = ", ".join(str(number) for number in NUMBERS if number not in failed)
    if failed:
        numbers = ", ".join(map(str, failed))
        raise ExampleFailed(
            _("examples {failed} failed; {ran} ran to the end").format(failed=numbers, ran=ran or "—")
        )
    say("🎯 All examples ran to the end: {ran}", ran=ran)
