"""Run one experiment: ``python run.py experiment=stage1 [group=option] [key=value]``.

The installed command ``terrashot`` does the same from any folder. Without arguments it lists the
experiments and subcommands, with ``--help`` every group and option, with ``-m`` it runs a multirun
over comma-separated values.
"""

import sys

from terrashot.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
