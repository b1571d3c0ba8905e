"""``python -m terrashot``: the command `terrashot` where its script is not on the path."""

import sys

from terrashot.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
