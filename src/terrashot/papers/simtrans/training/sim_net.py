"""SimNet: train a head that says whether two units are of one class, on base classes alone."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from lightning import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics.functional.classification import binary_average_precision, binary_f1_score

from terrashot.papers.simtrans.losses.domain_adversarial import domain_losses, ramp
from terrashot.papers.simtrans.losses.pair_cross_entropy import PairCrossEntropy
from terrashot.papers.simtrans.network.domain_classifier import DomainClassifier
from terrashot.papers.simtrans.network.sim_net import SIM_NET, SimNet
from terrashot.papers.simtrans.patches.units import PairDataModule
from terrashot.tasks.optimization import OptimizationPlan


@dataclass(frozen=True)
class PairScores:
    """How well held-out classes are told apart.

    Args:
        f1: Of "of one class" at probability above 0.5.
        ap: Average precision, which needs no threshold.
        pairs: Pairs that count.
        similar_share: Share of them that are of one class: what guessing scores as ``ap``.
        between: Mean similarity between the validation classes ``[n, n]``.
        classes: Their ids.
    """

    f1: float
    ap: float
    pairs: int
    similar_share: float
    between: Tensor
    classes: list[int]


class SimNetTraining(LightningModule):
    """Trains encoder (of windows) and pair head; selects on held-out base classes.

    Each step minimises ``L_sim - beta L_dom`` in the SimNet and ``L_dom`` in the domain
    classifier, by two optimizers and one backward pass (see ``domain_losses``). Validation scores
    pairs of which at least one unit is of a held-out class, both of other tiles. Logs
    ``train/loss``, ``train/domain_loss``, ``train/domain_accuracy``, ``val/pair_f1`` and
    ``val/pair_ap``.

    Source: Chen et al., "Weak-shot Fine-grained Classification via Similarity Transfer", 2021.

    Args:
        network: The SimNet.
        plan: Optimizer and schedule, of the domain classifier too.
        held_out: Ids of the base classes to select on.
        beta: Weight of the adversarial term; 0: there is no domain classifier.
        warm_up: Raise beta from 0 over the training (``ramp``).
        similar_weight: See ``PairCrossEntropy``.
        across_tiles: Pairs inside one tile do not count in the loss: light and season of a tile
            give them away.
        about: Plain values for the checkpoint, see ``TrainedSimNet``.
        domain_lr: Learning rate of the domain classifier; None: that of the plan.
    """

    def __init__(
        self,
        network: SimNet,
        plan: OptimizationPlan,
        held_out: list[int],
        beta: float = 0.0,
        warm_up: bool = False,
        similar_weight: float | str | None = None,
        across_tiles: bool = False,
        about: dict[str, Any] | None = None,
        domain_lr: float | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.network = network
        self.plan = plan
        self.domain_plan = plan if domain_lr is None else replace(plan, lr=domain_lr)
        self.held_out = held_out
        self.beta = beta
        self.warm_up = warm_up
        self.across_tiles = across_tiles
        self.about = about or {}
        self.loss = PairCrossEntropy(similar_weight)
        self.domain = DomainClassifier(network.head.pair_channels) if beta else None
        self._units: list[Tensor] = []
        self._scores: PairScores | None = None

    @property
    def scores(self) -> PairScores:
        """Of the last whole validation."""
        if self._scores is None:
            raise RuntimeError("the scores are there once a validation has ended")
        return self._scores

    def training_step(self, batch: dict[str, dict[str, Tensor]], batch_index: int) -> None:
        """One step of the SimNet and one of the domain classifier."""
        base, novel = batch["base"], batch.get("novel")
        head = self.network.head
        parts = [base["input"]] if novel is None else [base["input"], novel["input"]]
        units = self.network.embed(torch.cat(parts)).split([len(p) for p in parts])
        # One pass for both domains, so that batch norm sees them together.
        hidden = [head.hidden(u, u) for u in units]
        scores, pair_features = head.body(torch.cat(hidden))
        base_pairs = len(hidden[0])
        similarity_loss = self.loss(scores[:base_pairs].float(), base["label"], self._use(base))
        total = similarity_loss
        if self.domain is not None:
            fooled, told_apart = domain_losses(self.domain, pair_features.float(), base_pairs)
            total = similarity_loss - self._beta() * fooled + told_apart
            self._log_domain(pair_features, base_pairs, told_apart)
        optimizers = self.optimizers()
        optimizers = optimizers if isinstance(optimizers, list) else [optimizers]
        for optimizer in optimizers:
            optimizer.zero_grad()
        self.manual_backward(total)
        for optimizer in optimizers:
            optimizer.step()
        schedules = self.lr_schedulers()
        for schedule in schedules if isinstance(schedules, list) else [schedules]:
            assert isinstance(schedule, LRScheduler)
            schedule.step()
        self.log("train/loss", similarity_loss, prog_bar=True, batch_size=len(base["label"]))

    def on_validation_epoch_start(self) -> None:
        """Forget the units of the last validation."""
        self._units = []

    def validation_step(self, batch: dict[str, Tensor], batch_index: int) -> None:
        """Keep the features of the units."""
        self._units.append(self.network.embed(batch["input"]).float())

    def on_validation_epoch_end(self) -> None:
        """Compare all of them; the same on every process, since each has all units."""
        data = self._data
        seen = data.val_indices[: sum(len(u) for u in self._units)]  # limit_val_batches
        self._scores = pair_scores(
            self.network,
            torch.cat(self._units),
            data.val.labels[seen],
            data.val.groups[seen],
            self.held_out,
        )
        self._units = []
        self.log("val/pair_f1", self._scores.f1, sync_dist=True)
        self.log("val/pair_ap", self._scores.ap, prog_bar=True, sync_dist=True)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """One for the SimNet, one for the domain classifier, each with its schedule."""
        steps = int(self.trainer.estimated_stepping_batches)
        encoder: nn.Module = self.network.encoder or nn.Identity()
        optimizers = [self.plan.build_optimizer(encoder, [self.network.head])]
        if self.domain is not None:
            optimizers.append(self.domain_plan.build_optimizer(nn.Identity(), [self.domain]))
        return optimizers, [self.plan.build_schedule(o, steps) for o in optimizers]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what rebuilds the network, and what it was trained on."""
        checkpoint[SIM_NET.key] = SIM_NET.header(
            {"network": self.network.description, **self.about}
        )

    @property
    def _data(self) -> PairDataModule:
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(data, PairDataModule)
        return data

    def _beta(self) -> float:
        if not self.warm_up:
            return self.beta
        batches = max(1, int(self.trainer.num_training_batches))
        done = self.current_epoch + self.trainer.fit_loop.batch_idx / batches
        return self.beta * ramp(done / max(1, self.trainer.max_epochs or 1))

    def _use(self, base: dict[str, Tensor]) -> Tensor | None:
        """Which ordered pairs count, bool ``[B^2]``; None: all."""
        if not self.across_tiles:
            return None
        groups = torch.from_numpy(self._data.train.groups)[base["index"].cpu()]
        return (groups.unsqueeze(0) != groups.unsqueeze(1)).flatten().to(base["label"].device)

    @torch.no_grad()
    def _log_domain(self, pair_features: Tensor, base_pairs: int, loss: Tensor) -> None:
        """The goal is an accuracy of one half: pair features that do not tell."""
        assert self.domain is not None
        novel = self.domain(pair_features.float()).argmax(dim=1) == 1
        right = torch.cat([~novel[:base_pairs], novel[base_pairs:]]).float().mean()
        self.log("train/domain_loss", loss.detach())
        self.log("train/domain_accuracy", right)


@torch.no_grad()
def pair_scores(
    network: SimNet, units: Tensor, labels: np.ndarray, groups: np.ndarray, held_out: list[int]
) -> PairScores:
    """Scores over unordered pairs of units of unlike tiles, one of a held-out class at least.

    Where no class is held out, all pairs of unlike tiles count.

    Args:
        network: In eval mode.
        units: Features ``[n, C]``.
        labels: Their classes ``[n]``.
        groups: Their tiles ``[n]``.
        held_out: Class ids.
    """
    similarity = network.head.similarity(units, units)
    classes, group = (torch.from_numpy(v).to(units.device) for v in (labels, groups))
    # Where none is held out, all classes count alike.
    judged = torch.tensor(held_out or sorted(set(labels.tolist())), device=units.device)
    unseen = torch.isin(classes, judged)
    counts = (unseen.unsqueeze(0) | unseen.unsqueeze(1)) & (
        group.unsqueeze(0) != group.unsqueeze(1)
    )
    counts &= torch.ones_like(counts).triu(diagonal=1)  # neither self pairs nor any pair twice
    same = (classes.unsqueeze(0) == classes.unsqueeze(1))[counts].long()
    found = similarity[counts]
    ids = sorted(set(labels.tolist()))
    between = torch.stack(
        [torch.stack([similarity[classes == a][:, classes == b].mean() for b in ids]) for a in ids]
    )
    return PairScores(
        f1=float(binary_f1_score(found, same)),
        ap=float(binary_average_precision(found, same)),
        pairs=int(counts.sum()),
        similar_share=float(same.float().mean()),
        between=between.cpu(),
        classes=ids,
    )
