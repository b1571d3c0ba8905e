"""A small run and a small sweep as plain values."""

import numpy as np
import pytest
import torch

from terrashot.evaluation.scores import gfss_scores
from terrashot.reporting.ablation import Outcome, ablation_rows
from terrashot.reporting.html.parts import Fact, Link, Notice
from terrashot.reporting.html.run_report import RunMaterial
from terrashot.reporting.html.sweep_report import JobLine, SweepMaterial
from terrashot.reporting.html.tile_set import chosen_tiles, tile_line, tile_set
from terrashot.reporting.panels import Panel
from terrashot.taxonomy import Taxonomy

EVIL = "<b>bold</b> & \"quoted\" </script><script>alert('x')</script>"
TAXONOMY = {
    "name": "tiny",
    "background": {"name": "background", "color": "#000000"},
    "base": [{"name": "tree", "color": "#226126"}, {"name": "road", "color": "#ffffff"}],
    "novel": [{"name": EVIL, "color": "#ffd500"}, {"name": "pool", "color": "#00e6d2"}],
}
SIDE = 48
NAMES = [f"tile_{i}.tif" for i in range(10)]


def make_panel(name):
    """Blocks of classes; the tiles' predictions are the more wrong the lower their number."""
    rng = np.random.default_rng(NAMES.index(name))
    truth = rng.integers(0, 4, (4, 4)).repeat(12, 0).repeat(12, 1).astype(np.uint8)
    truth[:2] = 255
    wrong = rng.random((SIDE, SIDE)) > 0.3 + 0.07 * NAMES.index(name)
    prediction = np.where(wrong, (truth + 1) % 4, truth).astype(np.uint8)
    prediction[truth == 255] = 0
    image = rng.integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
    return Panel(name, image, truth, prediction)


def counts_of(panel):
    keep = panel.truth != 255
    pairs = panel.truth[keep].astype(int) * 5 + panel.prediction[keep]
    return torch.from_numpy(np.bincount(pairs, minlength=25).reshape(5, 5))


@pytest.fixture(scope="session")
def panel_of():
    """Image, truth and prediction of a tile by its name."""
    return make_panel


@pytest.fixture(scope="session")
def taxonomy():
    return Taxonomy.from_dict(TAXONOMY)


@pytest.fixture(scope="session")
def run_material(taxonomy):
    """The material of a run; keyword arguments replace entries of results or config."""
    panels = {name: make_panel(name) for name in NAMES}
    counts = {name: counts_of(panel) for name, panel in panels.items()}
    before = {name: value.roll(1, dims=1) for name, value in counts.items()}
    confusion = sum(counts.values())
    base = gfss_scores(sum(before.values()), taxonomy).as_metrics("test", taxonomy)
    lines = [tile_line(n, counts[n], before[n], 0.5, n == NAMES[0], taxonomy) for n in NAMES]
    tiles = tile_set(chosen_tiles(lines), panels.__getitem__, taxonomy)

    def make(results=None, config=None, info=None, **fields):
        values = {
            "results": {
                "metrics": {},
                "base_model": {k: None if v != v else v for k, v in base.items()},
                "queries": len(NAMES),
                "seconds_per_query": 1.5,
                "adaptation_seconds_per_query": 0.034,
                "diverged_queries": 0,
                "method": "terrashot",
                "protocol": "per query",
                "data": {"name": "tiny", "split": "test"},
                "checkpoint": "logs/stage1/x/checkpoints/best.ckpt",
                "confusion": confusion.tolist(),
                **(results or {}),
            },
            "config": {
                "seed": 3,
                "data": {"name": "tiny", "split": "test", "taxonomy": TAXONOMY},
                "adaptation": {"base_weight": 0.4, "novel_weight": 0.6},
                **(config or {}),
            },
            "info": {
                "command": "python run.py experiment=stage2",
                "git": "0123456789abcdef",
                "started": "2030-01-01T10:00:00+00:00",
                "ended": "2030-01-01T10:05:00+00:00",
                **(info or {}),
            },
            "tile_lines": lines,
            "tiles": tiles,
            "curves": {"base mIoU": [(1.0, 0.2), (2.0, 0.3), (3.0, 0.25)]},
            "stage1_curves": {"val/loss": [(10.0, 1.5), (20.0, 1.1)], "val/base_miou": [(10, 0.4)]},
            "links": [Link("results.json", "results.json")],
            **fields,
        }
        return RunMaterial(**values)

    return make


@pytest.fixture(scope="session")
def sweep_material():
    """Two keys of two choices, three draws; one job has failed."""
    keys, draws = ["loss", "transition"], ["0", "1", "2"]
    options = [(loss, kind) for loss in ("ce", "ldam") for kind in ("none", "rank_one")]
    gain = {"ce": 0.0, "ldam": 0.02, "none": 0.0, "rank_one": -0.01}
    outcomes, jobs = [], []
    for option in options:
        for draw in draws:
            label = f"loss={option[0]} transition={option[1]} data.support_draw={draw}"
            if option == ("ldam", "rank_one") and draw == "2":
                jobs.append(JobLine(label, "no result", {}, float("nan"), None))
                continue
            score = 0.3 + 0.1 * int(draw) + sum(gain[part] for part in option)
            scores = {"base": 0.5, "novel": score, "weighted": score}
            outcomes.append(Outcome(option, (draw, "0"), scores, seconds=0.25))
            address = f"../../stage2/{option[0]}_{option[1]}_{draw}/report.html"
            jobs.append(JobLine(label, "open", scores, 0.25, address))
    return SweepMaterial(
        name="ablation_x_1234",
        kicker="multirun",
        facts=[Fact("command", "python run.py -m", code=True)],
        notices=[Notice("warning", f"No result: {jobs[-1].label}", EVIL)],
        keys=keys,
        main="weighted",
        rows=ablation_rows(outcomes, options, "weighted"),
        outcomes=outcomes,
        repeats=("data.support_draw", "seed"),
        context=[],
        jobs=jobs,
        links=[],
    )
