"""Two gloo processes compute the loss and the gradients of one process with the joined batch."""

import os
import subprocess
import sys

import pytest
import torch

from terrashot.papers.false.losses.calibrated_contrastive import CalibratedContrastive

pytestmark = pytest.mark.slow

WORKER = """
import sys, torch, torch.distributed as dist
from terrashot.papers.false.losses.calibrated_contrastive import CalibratedContrastive
rank, folder, variants = int(sys.argv[1]), sys.argv[2], eval(sys.argv[3])
dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
images, start = torch.load(f"{folder}/input.pt")
own = images[:, 2 * rank : 2 * rank + 2].reshape(4, -1)  # first views, then second views
results = []
for options in variants:
    weight = start.clone().requires_grad_()
    outcome = CalibratedContrastive(**options)(torch.tanh(own @ weight))
    outcome.loss.backward()
    loss, gradient = outcome.loss.detach().clone(), weight.grad
    for value in (loss, gradient):  # what distributed training does
        dist.all_reduce(value)
        value /= 2
    results.append([loss, gradient, int(outcome.selected.sum())])
torch.save(results, f"{folder}/{rank}.pt")
dist.destroy_process_group()
"""
VARIANTS = [
    {"alpha": 0.0, "threshold": 0.5},
    {"alpha": 0.9, "threshold": 0.5},
    {"top_k": 2, "threshold": 0.5},
    {"distance": "cos", "threshold": 0.5},
]
ONE_PAIR = {"scope": "batch", "threshold": -1.0}


def test_false_t09_two_processes_equal_one_with_the_joined_batch(tmp_path):
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(4, 6, generator=generator)
    images = torch.stack([first, first + 0.3 * torch.randn(4, 6, generator=generator)])
    start = 0.4 * torch.randn(6, 5, generator=generator)
    torch.save([images, start], tmp_path / "input.pt")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(rank), str(tmp_path), repr([*VARIANTS, ONE_PAIR])],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        for rank in (0, 1)
    ]
    for process in processes:
        output, _ = process.communicate(timeout=1200)
        assert process.returncode == 0, output
    ranks = [torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1)]

    for number, options in enumerate(VARIANTS):
        weight = start.clone().requires_grad_()
        outcome = CalibratedContrastive(**options)(torch.tanh(images.reshape(8, -1) @ weight))
        outcome.loss.backward()
        for loss, gradient, _ in (rank[number] for rank in ranks):
            torch.testing.assert_close(loss, outcome.loss.detach(), rtol=0, atol=1e-6)
            torch.testing.assert_close(gradient, weight.grad, rtol=0, atol=1e-6)
        assert sum(rank[number][2] for rank in ranks) == int(outcome.selected.sum()) > 0
        assert weight.grad.abs().max() > 0.01
    # Which pair lies above the diagonal depends on the order of the rows, but it is one pair.
    assert sum(rank[-1][2] for rank in ranks) == 1
