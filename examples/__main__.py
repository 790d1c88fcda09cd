"""``python -m examples`` (the menu) and ``python -m examples N`` (one example)."""

import sys

from examples.kit.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
