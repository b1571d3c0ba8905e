import pytest
import torch

from terrashot.adaptation.temperature import Calibration
from terrashot.mapping.blending import NODATA, Blender, Layers
from terrashot.mapping.plan import WindowPlan

CLASSES = 5


@pytest.fixture
def windows():
    """Random probabilities for each window of a plan."""

    def make(plan: WindowPlan) -> dict[tuple[int, int], torch.Tensor]:
        torch.manual_seed(0)
        shape = (CLASSES, plan.rows.size, plan.columns.size)
        return {
            (r, c): torch.randn(shape).mul(2).softmax(0)
            for r in range(len(plan.rows))
            for c in range(len(plan.columns))
        }

    return make


def blend(plan, windows, layers, valid=None, first=0, temperature=None):
    """The rows from ``first`` on, one below the other."""
    blender, parts = Blender(plan, layers, Calibration(temperature)), []
    all_valid = torch.ones(plan.rows.size, plan.columns.size, dtype=torch.bool)
    for row in range(plan.rows.first_that_touches(first), len(plan.rows)):
        out = blender.start_row(row)
        for column in range(len(plan.columns)):
            if valid is None:
                blender.add(row, column, windows[row, column].clone(), all_valid, out)
                continue
            top, left = plan.rows.starts[row], plan.columns.starts[column]
            part = valid[top : top + plan.rows.size, left : left + plan.columns.size]
            if part.any():
                blender.add(row, column, windows[row, column].clone(), part, out)
        if row >= first:
            parts.append(out)
    return torch.cat(parts, dim=1)


def weighted_mean(plan, windows):
    """The same, written down plainly with the whole scene in memory."""
    height = plan.rows.starts[-1] + plan.rows.size
    width = plan.columns.starts[-1] + plan.columns.size
    total, weights = torch.zeros(CLASSES, height, width).double(), torch.zeros(height, width)
    hann = [
        torch.sin(torch.pi * (torch.arange(size).double() + 0.5) / size) ** 2
        for size in (plan.rows.size, plan.columns.size)
    ]
    weight = hann[0][:, None] * hann[1]
    for (row, column), window in windows.items():
        top, left = plan.rows.starts[row], plan.columns.starts[column]
        place = (slice(top, top + plan.rows.size), slice(left, left + plan.columns.size))
        total[(slice(None), *place)] += weight * window
        weights[place] += weight
    return (total / weights)[:, : plan.rows.length, : plan.columns.length]


@pytest.mark.parametrize(
    ("height", "width", "window", "overlap"),
    [
        (300, 400, 128, 32),
        (200, 150, 128, 64),
        (97, 129, 96, 32),
        (40, 500, 64, 0),
        (20, 20, 64, 32),
    ],
)
def test_blending_by_rows_is_the_weighted_mean_of_all_windows(
    windows, height, width, window, overlap
):
    plan = WindowPlan.of(height, width, window, overlap)
    given = windows(plan)
    out = blend(plan, given, Layers(confidence=True, probabilities=(3,)))
    mean = weighted_mean(plan, given)
    assert out.shape == (3, height, width)
    # Half precision between rows: only where two classes are as good as equal they may swap.
    chosen = mean.gather(0, out[0].long()[None])[0]
    assert (mean.max(0).values - chosen).max() < 1e-3
    assert (out[0] == mean.argmax(0)).double().mean() > 0.998
    assert (out[1].double() / 100 - mean.max(0).values).abs().max() < 0.0065
    assert (out[2].double() / 100 - mean[3]).abs().max() < 0.0065


@pytest.mark.parametrize("first", [1, 2, 3])
def test_rows_are_the_same_bytes_whatever_row_one_goes_on_with(windows, first):
    plan = WindowPlan.of(500, 200, 128, 64)
    given = windows(plan)
    whole = blend(plan, given, Layers(confidence=True))
    rest = blend(plan, given, Layers(confidence=True), first=first)
    assert torch.equal(whole[:, plan.rows.starts[first] :], rest)


def test_windows_without_data_are_left_out_and_change_nothing_elsewhere(windows):
    plan = WindowPlan.of(400, 400, 128, 32)
    given = windows(plan)
    valid = torch.zeros(plan.rows.starts[-1] + 128, plan.columns.starts[-1] + 128).bool()
    valid[:150, :150] = True
    valid[250:400, 230:400] = True
    out = blend(plan, given, Layers(), valid)[0]
    whole = blend(plan, given, Layers())[0]
    inside = valid[:400, :400]
    assert (out[~inside] == NODATA).all()
    assert torch.equal(out[inside], whole[inside])


def test_the_memory_between_rows_is_the_overlap_alone(windows):
    plan = WindowPlan.of(1000, 300, 128, 32)
    given = windows(plan)
    blender = Blender(plan, Layers())
    valid = torch.ones(128, 128, dtype=torch.bool)
    for row in range(len(plan.rows)):
        out = blender.start_row(row)
        for column in range(len(plan.columns)):
            blender.add(row, column, given[row, column], valid, out)
        kept = 0 if blender._below is None else blender._below.numel()
        assert kept <= CLASSES * 64 * 300


def test_calibration_changes_confidence_and_no_class(windows):
    plan = WindowPlan.of(100, 130, 64, 32)
    layers, given = Layers(confidence=True, probabilities=(2,)), windows(plan)
    plain, calibrated = blend(plan, given, layers), blend(plan, given, layers, temperature=2.0)
    assert torch.equal(plain[0], calibrated[0])
    powered = weighted_mean(plan, given).sqrt()
    expected = powered / powered.sum(dim=0)
    for band, values in ((1, expected.amax(dim=0)), (2, expected[2])):
        assert (calibrated[band].double() - 100 * values).abs().max() < 0.6
