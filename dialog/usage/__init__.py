"""What dialogs are used for: calls, their changes and their end; and OPTIONS."""
