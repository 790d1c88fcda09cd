"""``python -m sipmedia`` is the command ``sipmedia``."""

from sipmedia.cli import main

if __name__ == "__main__":
    main()
