import os

import pytest
import torch


@pytest.fixture(scope="session")
def device():
    """The device that the environment names; without one, the tests are left out."""
    named = os.environ.get("TERRASHOT_TEST_DEVICE", "cuda")
    if named == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device; TERRASHOT_TEST_DEVICE=cpu runs the test without one")
    return named
