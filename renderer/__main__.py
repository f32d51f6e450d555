"""`python -m renderer` is the same as the command `avatar`."""

import sys

from renderer.cli import main

if __name__ == "__main__":
    sys.exit(main())
