"""Demos of the media manager and of the phone: ``python -m examples`` shows the menu.

Each module of this folder is one example; ``examples.kit`` is what they share (the registry behind the
menu, the two languages, a few lines of printing). docs/examples.md says how to add another.
"""
