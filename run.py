"""Run one experiment: ``python run.py experiment=stage1 [group=option] [key=value]``.

Without arguments it lists the experiments, with ``--help`` every group and option, with ``-m`` it
runs a multirun over comma-separated values.
"""

import sys
from pathlib import Path

from terrashot.app.main import main

if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent / "configs", sys.argv[1:]))
