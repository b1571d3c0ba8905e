"""The vectorised parts of FALSE, SimTrans and SG-One against the plain ways to write them down.

    python scripts/benchmark_similarity.py --part false graph sg_one
    python scripts/benchmark_similarity.py --json similarity.json

Both sides of a part run in one process, taking turns, on the same numbers; peak memory is taken
in a process of its own for each side. Wanted: the same values.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional

from benchmarking.machine import in_fresh_process
from benchmarking.memory import high_water
from terrashot.files import write_json
from terrashot.papers.false.losses.calibrated_contrastive import CalibratedContrastive
from terrashot.papers.sg_one.guidance.guided_prediction import (
    EncodedQuery,
    pool_support,
    predict_episodes,
)
from terrashot.papers.sg_one.network.build import build_sg_one
from terrashot.papers.sg_one.network.network import SGOneNetwork
from terrashot.papers.simtrans.losses.graph_regularisation import GraphRegularisation, relax

Side = Callable[[], Tensor]


def main() -> None:
    """Parse the command line, run the parts, print a table each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--rounds", type=int, default=9, help="turns of each side")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    arguments = parser.parse_args()
    found = {part: PARTS[part](arguments.rounds) for part in arguments.part}
    console = Console()
    for part, rows in found.items():
        table = Table(title=f"{part}, {torch.get_num_threads()} threads", title_justify="left")
        for name in rows[0]:
            table.add_column(name, justify="right")
        for row in rows:
            table.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values()))
        console.print(table)
    if arguments.json:
        write_json(arguments.json, found)


def compared(ours: Side, plain: Side, rounds: int) -> dict[str, Any]:
    """Median seconds of both sides, taking turns, and how far their values lie apart."""
    values, seconds = {}, {"ours": [], "plain": []}
    for number in range(rounds + 1):
        for name, side in (("ours", ours), ("plain", plain)):
            began = time.perf_counter()
            values[name] = side()
            if number:  # the first turn warms up
                seconds[name].append(time.perf_counter() - began)
    ratios = [p / o for o, p in zip(seconds["ours"], seconds["plain"], strict=True)]
    difference = float((values["ours"] - values["plain"]).abs().max())
    return {
        "ours s": statistics.median(seconds["ours"]),
        "plain s": statistics.median(seconds["plain"]),
        "times faster": statistics.median(ratios),
        "relative difference": difference / float(values["plain"].abs().max()),
    }


def peak_megabytes(function: Callable[..., Any], *arguments: Any) -> float:  # noqa: ANN401
    """What a call adds to the resident memory of a fresh process at its peak."""
    return in_fresh_process(_peak, function, arguments)


def _peak(function: Callable[..., Any], arguments: tuple[Any, ...]) -> float:
    torch.set_num_threads(1)
    function(*(4 if isinstance(a, int) else a for a in arguments))  # libraries, once
    before = high_water()
    function(*arguments)
    return (high_water() - before) / (1 << 20)


# SimTrans: graph regularisation through inner products against the tensor of differences.


def graph_sides(size: int, channels: int) -> tuple[Side, Side]:
    """Gradient ``[B, C]`` of the graph term, by inner products and by ``[B, B, C]``."""
    generator = torch.Generator().manual_seed(0)
    features = torch.rand(size, channels, generator=generator).requires_grad_()
    similarity = torch.rand(size, size, generator=generator)
    labels = torch.zeros(size)
    term = GraphRegularisation(normalise=False)

    def ours() -> Tensor:
        return torch.autograd.grad(term(features, similarity, labels), features)[0]

    def plain() -> Tensor:
        affinity = relax((similarity + similarity.T) / 2, term.mu)
        difference = features.unsqueeze(0) - features.unsqueeze(1)  # [B, B, C]
        return torch.autograd.grad((affinity * difference.square().sum(2)).mean(), features)[0]

    return ours, plain


def graph_side(size: int, channels: int, which: str) -> None:
    """One side alone, for its memory."""
    graph_sides(size, channels)[0 if which == "ours" else 1]()


def graph(rounds: int) -> list[dict[str, Any]]:
    """Forward and backward at the published size, C = 2048, and at smaller batches."""
    return [
        {
            "B": size,
            "C": 2048,
            **compared(*graph_sides(size, 2048), rounds),
            "ours MB": peak_megabytes(graph_side, size, 2048, "ours"),
            "plain MB": peak_megabytes(graph_side, size, 2048, "plain"),
        }
        for size in (32, 64, 128)
    ]


# FALSE: the calibrated loss as matrices against the double loop over anchors and negatives.


def false_sides(images: int, scope: str, channels: int = 128) -> tuple[Side, Side]:
    """Loss and gradient ``[1 + 2N C]`` for ``N`` images, by matrices and by a double loop."""
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(images, channels, generator=generator)
    second = first + 0.3 * torch.randn(images, channels, generator=generator)
    embeddings = functional.normalize(torch.cat([first, second])).requires_grad_()
    loss = CalibratedContrastive(alpha=0.9, scope=scope)

    def with_gradient(value: Tensor) -> Tensor:
        (gradient,) = torch.autograd.grad(value, embeddings)
        return torch.cat([value.detach().reshape(1), gradient.reshape(-1)])

    def ours() -> Tensor:
        return with_gradient(loss.compare(embeddings, embeddings, 0).loss)

    def plain() -> Tensor:
        return with_gradient(double_loop(embeddings, loss))

    return ours, plain


def double_loop(z: Tensor, loss: CalibratedContrastive) -> Tensor:
    """FALSE as it reads: each anchor in turn, each of its negatives in turn."""
    rows = len(z)
    cosine = z @ z.T
    similarity = (cosine / loss.temperature).exp()
    fixed = similarity.detach()
    nearest: dict[int, tuple[float, int]] = {}
    for anchor in range(rows):
        positive = (anchor + rows // 2) % rows
        for other in range(anchor + 1 if loss.rule.scope == "batch" else 0, rows):
            if other in (anchor, positive):
                continue
            distance = float((fixed[anchor, other] - fixed[anchor, positive]).abs())
            nearest[anchor] = min(nearest.get(anchor, (math.inf, -1)), (distance, other))
    if loss.rule.scope == "batch":
        least = min(nearest, key=lambda anchor: nearest[anchor][0])
        nearest = {least: nearest[least]}
    total = z.new_zeros(())
    for anchor in range(rows):
        positive = (anchor + rows // 2) % rows
        numerator = similarity[anchor, positive]
        if anchor in nearest and cosine[anchor, positive] >= loss.rule.threshold:
            numerator = numerator + loss.alpha * similarity[anchor, nearest[anchor][1]]
        others = [i for i in range(rows) if i != anchor]
        total = total - (numerator / similarity[anchor, others].sum()).log()
    return total / rows


def false(rounds: int) -> list[dict[str, Any]]:
    """Loss and gradient at the published batch of 256 images, and at smaller ones."""
    return [
        {"images": images, "scope": scope, **compared(*false_sides(images, scope), rounds)}
        for images, scope in ((64, "anchor"), (256, "anchor"), (256, "batch"))
    ]


# SG-One: episodes that share what they have in common against one pass an episode, as published.


def sg_one_network() -> SGOneNetwork:
    """mobilenetv2 with an FPN, random weights, batch norms as in a test."""
    torch.manual_seed(0)
    network = {"backbone": {"name": "mobilenetv2_100"}, "decoder": {"name": "fpn"}}
    return build_sg_one({**network, "guidance_channels": 128}).eval()


def training_sides(episodes: int, side: int = 256) -> tuple[Side, Side]:
    """Gradient of the guidance head for a batch of episodes: in one pass, and one by one."""
    network = sg_one_network()
    support, query = torch.rand(2, episodes, 3, side, side)
    mask, target = (torch.rand(2, episodes, side, side) < 0.5).long()
    weight = network.guidance_head.convolution.weight

    def loss(rows: slice) -> Tensor:
        predicted = predict_episodes(network, support[rows], mask[rows], query[rows])
        return functional.cross_entropy(predicted.logits, target[rows])

    def gradient(rows: slice) -> Tensor:
        network.zero_grad()
        loss(rows).backward()
        assert weight.grad is not None
        return weight.grad.clone()

    def ours() -> Tensor:
        return gradient(slice(None))

    def plain() -> Tensor:
        each = [gradient(slice(i, i + 1)) for i in range(episodes)]
        return torch.stack(each).mean(dim=0)

    return ours, plain


def evaluation_sides(queries: int, shots: int, side: int = 512) -> tuple[Side, Side]:
    """Foreground of queries by ``shots``: all encoded once, and both images for each pair."""
    network = sg_one_network()
    support, query = torch.rand(shots, 3, side, side), torch.rand(queries, 3, side, side)
    mask = (torch.rand(shots, side, side) < 0.5).long()

    @torch.no_grad()
    def ours() -> Tensor:
        vectors = []
        for image, shown in zip(support, mask, strict=True):
            guidance = network.guidance(network.maps(image[None]))
            vectors.append(pool_support(network, guidance, shown[None]).vectors)
        encoded = (EncodedQuery(network, image[None]) for image in query)
        every = torch.cat(vectors)
        return torch.stack([one.scores(every, "or").foreground for one in encoded])

    @torch.no_grad()
    def plain() -> Tensor:
        found = []
        for image in query:
            logits = [
                predict_episodes(network, s[None], m[None], image[None]).logits[0]
                for s, m in zip(support, mask, strict=True)
            ]
            found.append(torch.stack(logits).softmax(dim=1)[:, 1].amax(dim=0))
        return torch.stack(found)

    return ours, plain


def sg_one(rounds: int) -> list[dict[str, Any]]:
    """Episodes a second of training and of evaluation; an episode is a query and its shots."""
    rows = []
    for what, episodes, sides in (
        ("training, 256 px, batch of 8", 8, training_sides(8)),
        ("1 shot, 512 px, 10 queries", 10, evaluation_sides(10, 1)),
        ("5 shots, 512 px, 10 queries", 10, evaluation_sides(10, 5)),
    ):
        row = compared(*sides, max(1, rounds // 3))
        rates = {f"{side} episodes/s": episodes / row[f"{side} s"] for side in ("ours", "plain")}
        rows.append({"episodes": what, **row, **rates})
    return rows


PARTS: dict[str, Callable[[int], list[dict[str, Any]]]] = {
    "false": false,
    "graph": graph,
    "sg_one": sg_one,
}

if __name__ == "__main__":
    main()
