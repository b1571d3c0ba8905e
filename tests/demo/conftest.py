"""The demo set, made once for all tests of this folder."""

from pathlib import Path
from typing import NamedTuple

import pytest

from terrashot.demo import make_demo


class Made(NamedTuple):
    root: Path


@pytest.fixture(scope="session")
def demo(once) -> Made:
    return Made(once("demo_set", lambda folder: make_demo(folder / "demo", seed=0)) / "demo")
