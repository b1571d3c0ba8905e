"""The tests that are marked `gpu`: golden figures, the engine against its oracle."""

import os
from pathlib import Path
from typing import Any

from gpu_check.hardware import check_device
from gpu_check.part import Place

TESTS = Path(__file__).resolve().parents[2] / "tests" / "gpu"


class _Count:
    """A plugin of pytest that counts."""

    def __init__(self) -> None:
        self.outcomes: dict[str, int] = {"passed": 0, "failed": 0, "skipped": 0}
        self.failures: list[str] = []

    def pytest_runtest_logreport(self, report: Any) -> None:  # noqa: ANN401 - pytest's interface
        """Count the outcome of a test, or of a set-up that went wrong."""
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[report.outcome] += 1
        if report.outcome == "failed":
            self.failures.append(report.nodeid)


def numbers(place: Place) -> dict[str, Any]:
    """How many tests of `tests/gpu` pass on the device."""
    import pytest

    check_device(place.device)
    os.environ["TERRASHOT_TEST_DEVICE"] = place.device
    count = _Count()
    pytest.main(["-p", "no:cacheprovider", "-m", "gpu", "-q", str(TESTS)], plugins=[count])
    if count.failures or not count.outcomes["passed"]:
        raise AssertionError(f"{count.outcomes}; failed: {', '.join(count.failures) or 'none'}")
    return dict(count.outcomes)
