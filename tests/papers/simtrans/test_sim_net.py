import numpy as np
import pytest
import torch
from lightning import Callback, Trainer

from terrashot.adaptation.striding import labels_to_size
from terrashot.papers.simtrans.network.pair_head import PairHead
from terrashot.papers.simtrans.network.sim_net import KEY, SimNet, load_sim_net
from terrashot.papers.simtrans.patches.pixel_units import pixel_units
from terrashot.papers.simtrans.patches.units import PairDataModule
from terrashot.papers.simtrans.patches.vectors import VectorDataset
from terrashot.papers.simtrans.training.sim_net import SimNetTraining, pair_scores
from terrashot.tasks.optimization import OptimizationPlan

CHANNELS = 8


def units(classes, each, groups, seed):
    """Clusters of features around fixed directions, one a class."""
    generator = torch.Generator().manual_seed(99)
    centres = torch.randn(40, CHANNELS, generator=generator)
    generator.manual_seed(seed)
    labels = torch.tensor(classes).repeat_interleave(each)
    noise = 0.3 * torch.randn(len(labels), CHANNELS, generator=generator)
    tiles = torch.randint(0, groups, (len(labels),), generator=generator)
    return VectorDataset(centres[labels] + noise, labels, tiles)


def data(novel=False, **options):
    return PairDataModule(
        units(list(range(20)), 20, 6, 0),
        units([0, 1, 2, 3, 30, 31], 20, 6, 1),
        units([35, 36], 20, 2, 2) if novel else None,
        **{
            "batch_size": 40,
            "classes": 8,
            "novel_classes": 2,
            "val_per_class": 12,
            "num_workers": 0,
            **options,
        },
    )


def module(**options):
    torch.manual_seed(0)
    plan = OptimizationPlan("adamw", 5e-3, 5e-3, 0.0, 0.9, "cosine", 0.05, 0.0)
    network = SimNet(PairHead(CHANNELS, symmetric=True))
    return SimNetTraining(network, plan, [30, 31], **options)


def trainer(epochs, **options):
    return Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        **{"enable_checkpointing": False, **options},
    )


@pytest.mark.parametrize("beta", [0.0, 0.1])
def test_it_learns_to_compare_classes_that_it_never_saw(beta):
    model, pairs = module(beta=beta, warm_up=True), data(novel=beta > 0)
    run = trainer(10)
    run.fit(model, pairs)
    scores = model.scores
    assert scores.ap > 2 * scores.similar_share
    assert scores.f1 > 0.5
    assert scores.classes == [0, 1, 2, 3, 30, 31]
    assert (model.domain is None) == (beta == 0)
    if beta:
        assert 0 <= float(run.callback_metrics["train/domain_accuracy"]) <= 1


def test_scores_leave_out_self_pairs_same_tiles_and_pairs_of_seen_classes():
    head = PairHead(CHANNELS, symmetric=True).eval()
    labels, tiles = np.array([0, 0, 5, 5, 5]), np.array([0, 1, 0, 1, 1])
    found = pair_scores(SimNet(head), torch.randn(5, CHANNELS), labels, tiles, [5])
    # 0-2 and 3-4 share their tiles, 0-1 are both of a class that was trained on.
    pairs = {(0, 3), (0, 4), (1, 2), (2, 3), (2, 4)}
    assert found.pairs == len(pairs)
    assert found.similar_share == pytest.approx(2 / 5)
    assert found.between.shape == (2, 2)


def test_pairs_inside_one_tile_do_not_count_where_asked():
    model = module(across_tiles=True)
    pairs = data()
    model.trainer = type("T", (), {"datamodule": pairs})()
    index = torch.tensor([0, 1, 2])
    groups = torch.from_numpy(pairs.train.groups)[index]
    use = model._use({"index": index, "label": index})
    assert use.view(3, 3).equal(groups.unsqueeze(0) != groups.unsqueeze(1))
    assert module()._use({"index": index}) is None


class StopHalfWay(Callback):
    """Ends a training of four epochs after two, as an interruption would."""

    def on_train_epoch_end(self, trainer, pl_module):
        trainer.should_stop = trainer.current_epoch == 1


def test_a_checkpoint_goes_on_where_it_stopped_and_gives_the_network_back(tmp_path):
    whole = module(beta=0.1)
    trainer(4).fit(whole, data(novel=True))
    first = trainer(4, callbacks=[StopHalfWay()])
    first.fit(module(beta=0.1), data(novel=True))
    assert first.current_epoch == 2
    path = tmp_path / "half.ckpt"
    first.save_checkpoint(path)
    assert torch.load(path, weights_only=True)[KEY]["network"]["head"]["channels"] == CHANNELS
    found = load_sim_net(path, "pixels")
    assert found.network.head.symmetric
    assert len(torch.load(path, weights_only=True)["optimizer_states"]) == 2
    again = module(beta=0.1)
    trainer(4).fit(again, data(novel=True), ckpt_path=path, weights_only=True)
    assert again.trainer.current_epoch == 4
    for name, value in whole.state_dict().items():
        assert torch.allclose(again.state_dict()[name], value, atol=1e-6), name


def test_the_domain_loss_of_the_sim_net_has_the_weight_that_is_asked_for():
    model = module(beta=0.4, warm_up=True)
    assert model.beta == 0.4
    model.trainer = type(
        "T",
        (),
        {
            "num_training_batches": 10,
            "current_epoch": 1,
            "max_epochs": 2,
            "fit_loop": type("L", (), {"batch_idx": 5})(),
        },
    )()
    assert 0.39 < model._beta() < 0.4
    assert module(beta=0.4)._beta() == 0.4


class Tiles:
    """Two tiles with a wide class, a narrow one and background."""

    def __init__(self):
        label = torch.zeros(64, 64).long()
        label[:, :32] = 1
        label[40:46, 50:56] = 2
        self.labels = [label, torch.zeros(64, 64).long()]

    def __len__(self):
        return 2

    def mask(self, index):
        return self.labels[index]


def test_pixels_are_drawn_away_from_borders_unless_a_class_has_no_inside():
    def features(index):
        rows = torch.arange(16.0).repeat_interleave(16)
        return torch.stack([rows, torch.arange(16.0).repeat(16)]).view(2, 16, 16)

    found = pixel_units(Tiles(), features, 1, [1, 2], 10, 0)
    assert set(found.labels.tolist()) == {1, 2}
    assert (found.labels == 1).sum() == 10
    columns = found.features[torch.from_numpy(found.labels == 1)][:, 1]
    assert float(columns.max()) <= (31 - 8) // 4
    assert 0 < (found.labels == 2).sum() <= 4
    small = labels_to_size(Tiles().mask(0), (16, 16))
    for vector, label in zip(found.features.long().tolist(), found.labels, strict=True):
        assert int(small[vector[0], vector[1]]) == label
