"""Sides that take turns, and what is made of their seconds."""

import json
import sys

import pytest

TOY = """
import sys, time
from benchmarking.turns import Turns, run_side

def work(job, turns):
    print("what a library prints goes nowhere near the answers")
    if job["fails"]:
        raise SystemExit("broken")
    while True:
        turns.tick(parameters=7)
        time.sleep(job["pause"])

run_side(work)
"""


@pytest.fixture
def scripts(repository, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(repository / "scripts"))
    (tmp_path / "toy.py").write_text(TOY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def test_sides_take_turns_and_say_how_long_each_step_took(scripts):
    from benchmarking.turns import Side

    job = {"threads": 1, "fails": False}
    sides = [Side(f"{p}", sys.executable, "toy", {**job, "pause": p}) for p in (0.05, 0.2)]
    for side in sides:
        assert side.ready().facts["parameters"] == 7
    for steps in (1, 3):
        turns = [side.turn(steps) for side in sides]
        assert [len(seconds) for seconds in turns] == [steps, steps]
        assert all(seconds >= 0.05 for seconds in turns[0])
        assert all(seconds >= 0.2 for seconds in turns[1])
    for side in sides:
        assert 1e6 < side.end() < 1e9


def test_a_side_that_fails_is_named(scripts):
    from benchmarking.turns import Side

    side = Side("torchgeo", sys.executable, "toy", {"threads": 1, "fails": True})
    with pytest.raises(RuntimeError, match="torchgeo ended; its message"):
        side.ready()
    side.stop()


def test_ratios_are_those_of_the_rounds(scripts):
    from benchmark_peers import add_rates

    result = {"ours": {"seconds": [1.0, 2.0, 4.0]}, "peer": {"seconds": [2.0, 4.0, 4.0]}}
    add_rates(result, amount=8)
    assert result["ours"] == {"seconds": [1.0, 2.0, 4.0], "rate": 4.0, "ratio": 1.0}
    # 8 / 4 a second; 1 / 2, 2 / 4 and 4 / 4, of which the median is a half.
    assert result["peer"] == {"seconds": [2.0, 4.0, 4.0], "rate": 2.0, "ratio": 0.5}
    assert json.dumps(result)


def test_a_peer_reads_what_stage_1_reads(scripts, tmp_path, write_raster):
    import numpy as np
    import torch

    from benchmarking.peer_tiles import Tiles

    image = np.full((3, 8, 8), 51, np.uint8)
    label = np.full((1, 8, 8), 9, np.uint8)
    label[0, 0] = 255
    for kind, pixels in (("images", image), ("labels", label)):
        (tmp_path / "trainset" / kind).mkdir(parents=True)
        write_raster(tmp_path / "trainset" / kind / "a.tif", pixels)
    (tmp_path / "train.txt").write_text("a.tif\n")
    mean, std = [0.1, 0.2, 0.3], [0.5, 0.5, 0.1]
    job = {"root": str(tmp_path), "crop": 8, "classes": 8, "mean": mean, "std": std}
    sample = Tiles(job)[0]
    assert torch.allclose(sample["image"][:, 0, 0], torch.tensor([0.2, 0.0, -1.0]), atol=1e-6)
    assert sample["mask"][0].tolist() == [255] * 8
    assert set(sample["mask"][1:].flatten().tolist()) == {0}  # a novel class is background
