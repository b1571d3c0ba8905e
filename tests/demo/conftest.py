"""The demo set, made once for all tests of this folder."""

import time
from pathlib import Path
from typing import NamedTuple

import pytest

from terrashot.demo import make_demo


class Made(NamedTuple):
    root: Path
    cpu_seconds: float


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> Made:
    root = tmp_path_factory.mktemp("demo") / "demo"
    start = time.process_time()
    make_demo(root, seed=0)
    return Made(root, time.process_time() - start)
