"""Similarity from a SimNet that was trained to say whether two pixels are of one class."""

from pathlib import Path

import torch
from torch import Tensor

from terrashot.errors import CheckpointError, ConfigError
from terrashot.papers.simtrans.bridges.find_sim_net import pixel_sim_net
from terrashot.papers.simtrans.network.sim_net import PIXELS, load_sim_net
from terrashot.similarity.estimator import FeatureBank, as_shares, present_classes
from terrashot.similarity.options import checked_temperature
from terrashot.tasks.bench import Bench


class SimNetSimilarity:
    """Mean log odds over pixel pairs, softmax over the base classes.

    SimNet is trained to answer "different" for every pair of unlike classes, so its probabilities
    for base-novel pairs are all next to 0 and their ratios noise; log odds keep the differences.

    Args:
        checkpoint: SimNet of ``experiment=simnet units=pixels`` on the same stage-1 network.
        samples: Pixels of each class that are compared.
        temperature: Mean log odds are divided by it.
        mode: ``logit``, or for comparison ``prob_l1``: mean probabilities, columns divided by
            their sum.

    Raises:
        CheckpointError: no such SimNet.
        ConfigError: a setting out of its range.
    """

    def __init__(
        self,
        checkpoint: str,
        samples: int = 128,
        temperature: float = 1.0,
        mode: str = "logit",
    ) -> None:
        if mode not in ("logit", "prob_l1"):
            raise ConfigError(f"similarity.mode is '{mode}', but it must be logit or prob_l1.")
        if samples < 1:
            raise ConfigError(f"similarity.samples is {samples}, but at least 1 is needed.")
        self.trained = load_sim_net(Path(checkpoint), PIXELS)
        self.samples = samples
        self.temperature = checked_temperature(temperature)
        self.mode = mode
        self.all_pixels = False

    @classmethod
    def find_file(cls, given: str | None, bench: Bench) -> Path:
        """The SimNet that fits the run; see ``terrashot.tasks.bench.PartOfFile``."""
        return pixel_sim_net(bench, given)

    @torch.no_grad()
    def estimate(self, base: FeatureBank, novel: FeatureBank) -> Tensor:
        """Similarity ``[base, novel]``, float64, each column summing to 1.

        Raises:
            CheckpointError: the SimNet was trained on features of another length.
        """
        network = self.trained.network.to(novel.sums.device)
        if network.head.channels != novel.sums.shape[1]:
            raise CheckpointError(
                f"similarity: the SimNet {self.trained.path} compares features of length "
                f"{network.head.channels}, but those of the stage-1 network have "
                f"{novel.sums.shape[1]}. Train it on this network (python run.py "
                "experiment=simnet units=pixels checkpoint=...), and set "
                "adaptation.features=decoder: it compares the decoder's map."
            )
        present = present_classes(base)
        own = [self._drawn(base, i) for i, there in enumerate(present.tolist()) if there]
        others = [self._drawn(novel, i) for i in range(len(novel.counts))]
        odds = [[network.head.logits(b, n).double() for n in others] for b in own]
        return class_similarity(odds, present, self.temperature, self.mode)

    def _drawn(self, bank: FeatureBank, index: int) -> Tensor:
        """Up to ``samples`` pixels ``[k, C]`` of a class, evenly spaced over all of them.

        As the network made them: that is what the SimNet was trained on.
        """
        step = max(1, int(bank.counts[index]) // self.samples)
        parts, first = [], 0
        for block in bank.raw_pixels_of(index):
            parts.append(block[:, first::step].T)
            first = (first - block.shape[1]) % step
        return torch.cat(parts)[: self.samples].float()


def class_similarity(
    odds: list[list[Tensor]], present: Tensor, temperature: float, mode: str
) -> Tensor:
    """Similarity ``[base, novel]`` from log odds of pixel pairs.

    Args:
        odds: Log odds ``[pixels, pixels]`` by present base class and novel class.
        present: Which base classes these are ``[base]``; the others get 0.
        temperature: Of the softmax.
        mode: See ``SimNetSimilarity``.
    """
    if mode == "logit":
        means = torch.stack([torch.stack([o.mean() for o in row]) for row in odds])
        return as_shares(means / temperature, present)
    means = torch.stack([torch.stack([o.sigmoid().mean() for o in row]) for row in odds])
    shares = means.new_zeros(len(present), means.shape[1])
    shares[present] = means / means.sum(dim=0, keepdim=True)
    return shares
