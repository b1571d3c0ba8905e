"""What answers at once imports nothing heavy."""

import subprocess
import sys

import pytest

_ASK = """
import sys
from terrashot.cli.main import main
code = main(sys.argv[1:])
print(sorted({"torch", "hydra", "lightning"} & set(sys.modules)), code, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 0, "experiment=stage1"),
        (["experiment=stagee1"], 1, "Did you mean stage1"),
        (["-m", "experiment=stage2", "method=diamm"], 1, "Did you mean diam"),
        (["exprot"], 2, "Did you mean export"),
    ],
)
def test_lists_and_misspelled_options_answer_without_torch_and_hydra(arguments, code, said):
    done = subprocess.run(
        [sys.executable, "-c", _ASK, *arguments], capture_output=True, text=True, timeout=1200
    )
    assert said in " ".join((done.stdout + done.stderr).split())
    assert done.stderr.splitlines()[-1] == f"[] {code}"
