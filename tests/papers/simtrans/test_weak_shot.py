import shutil
import warnings
from typing import ClassVar

import numpy as np
import pytest
import rasterio
import torch
from lightning import Trainer
from rasterio.errors import NotGeoreferencedWarning
from torch import nn

from terrashot.data.datamodule import FewShotDataModule
from terrashot.errors import ConfigError, DataError
from terrashot.papers.simtrans.evaluation.weak_shot_scores import weak_shot_scores
from terrashot.papers.simtrans.losses.graph_regularisation import GraphRegularisation
from terrashot.papers.simtrans.network.pair_head import PairHead
from terrashot.papers.simtrans.network.sim_net import SimNet
from terrashot.papers.simtrans.network.window_encoder import WindowEncoder
from terrashot.papers.simtrans.patches.noise import SyntheticNoise, TileLabel
from terrashot.papers.simtrans.patches.weak_shot import WeakShotData
from terrashot.papers.simtrans.training.weak_shot import WeakShotClassifier
from terrashot.papers.simtrans.training.window_weights import (
    Weighting,
    weight_quality,
    window_weights,
)
from terrashot.tasks.optimization import OptimizationPlan
from terrashot.taxonomy import Taxonomy

WINDOW = 16


@pytest.fixture(scope="module")
def taxonomy():
    names = ["background", "wood", "field", "road", "parking", "hall"]
    rows = [{"name": n, "color": f"#0000{i}0"} for i, n in enumerate(names)]
    return Taxonomy.from_dict(
        {"name": "tiny", "background": rows[0], "base": rows[1:4], "novel": rows[4:]}
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Tiles of 64 px in quarters of one class each."""
    folder = tmp_path_factory.mktemp("quarters")
    random = np.random.default_rng(0)
    colours = random.integers(40, 215, (6, 3))

    def tile(part, name, classes, keep=None):
        label = np.kron(np.array(classes).reshape(2, 2), np.ones((32, 32))).astype(np.uint8)
        image = (colours[label] + random.normal(0, 9, (64, 64, 3))).clip(0, 255).transpose(2, 0, 1)
        if keep is not None:
            label = np.where(label == keep, keep, 0)
        for kind, array in (("images", image), ("labels", label[None])):
            path = folder / part / kind / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                shape = {"count": len(array), "height": 64, "width": 64, "dtype": "uint8"}
                with rasterio.open(path, "w", driver="GTiff", **shape) as target:
                    target.write(array.astype(np.uint8))

    for i in range(4):
        tile("trainset", f"t{i}.tif", random.permutation([1, 2, 3, 1 + i % 3]))
    support = {"4": ["s4.tif"], "5": ["s5.tif"]}
    tile("testset", "s4.tif", [4, 1, 4, 2], keep=4)
    tile("testset", "s5.tif", [3, 5, 5, 2], keep=5)
    tile("testset", "q0.tif", [4, 5, 5, 4])
    (folder / "train.txt").write_text("t0.tif\nt1.tif\nt2.tif\nt3.tif\n")
    (folder / "stage1_val.txt").write_text("t3.tif\n")
    (folder / "test.json").write_text(
        '{"support_set": {"4": ["s4.tif"], "5": ["s5.tif"]}, "query_set": ["q0.tif"]}'
    )
    assert support
    return folder


def weak_shot_data(root, taxonomy, noise=None, with_base=True, sizes=(16,), **options):
    data = FewShotDataModule(root, taxonomy, num_workers=0)
    return WeakShotData(data, WINDOW, noise or TileLabel(), with_base, 20, list(sizes), **options)


class Colours(nn.Module):
    """An encoder in miniature: the mean colour of a window."""

    channels = 16
    description: ClassVar[dict] = {}

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 16), nn.Tanh())

    def forward(self, images):
        return self.layers(4 * (images.mean(dim=(2, 3)) - 0.5))


def sim_net():
    torch.manual_seed(0)
    encoder = WindowEncoder({"backbone": {"name": "mobilenetv2_050"}})
    network = SimNet(PairHead(encoder.channels), encoder)
    network.train()
    network.head(network.embed(torch.rand(4, 3, 32, 32)))
    return network.eval().requires_grad_(False)


def weights_of(windows, network, **options):
    return window_weights(
        network,
        windows.windows,
        [4, 5],
        windows.anchor_windows,
        list(windows.anchors.values()),
        Weighting(**options),
        0,
        torch.device("cpu"),
    )


def plan(lr=1e-2):
    return OptimizationPlan("sgd", lr, lr, 1e-4, 0.9, "constant", 0.0, 0.0)


def trainer(epochs=1):
    return Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )


def test_simtrans_t14_the_sim_net_stays_frozen_and_weights_survive_a_move(root, taxonomy, tmp_path):
    network = sim_net()
    windows = weak_shot_data(root, taxonomy)
    weights = weights_of(windows, network)
    moved = tmp_path / "elsewhere"
    shutil.copytree(root, moved)
    assert torch.equal(weights_of(weak_shot_data(moved, taxonomy), network), weights)

    images = torch.rand(3, 3, 32, 32)
    units = network.embed(images)
    before = network.head.similarity(units, units)
    module = WeakShotClassifier(
        WindowEncoder({"backbone": {"name": "mobilenetv2_050"}}),
        [1, 2, 3, 4, 5],
        [4, 5],
        weights,
        plan(),
        GraphRegularisation(),
        0.1,
        network,
    )
    trainer().fit(module, windows)
    assert module.training is not None
    module.train()
    assert not network.training
    assert not any(m.training for m in network.modules())
    assert all(p.grad is None and not p.requires_grad for p in network.parameters())
    assert torch.equal(network.embed(images), units)
    assert torch.equal(network.head.similarity(units, units), before)
    assert torch.equal(module.weights, weights)


def test_weights_have_mean_one_in_each_class_and_base_windows_weigh_one(root, taxonomy):
    windows = weak_shot_data(root, taxonomy, SyntheticNoise(0.4))
    labels = torch.from_numpy(windows.windows.labels)
    network = sim_net()
    found = {k: weights_of(windows, network, kind=k) for k in ("savg", "avg", "shuffled", "none")}
    for weights in found.values():
        assert bool((weights[labels < 4] == 1).all())
        for label in (4, 5):
            assert float(weights[labels == label].mean()) == pytest.approx(1, abs=1e-5)
    own = labels == 4
    assert torch.equal(found["shuffled"][own].sort().values, found["savg"][own].sort().values)
    assert not torch.equal(found["shuffled"], found["savg"])
    quality = weight_quality(found["none"], windows.windows, [4, 5])
    assert quality["weights/clean_share"] == pytest.approx(0.6, abs=0.1)
    assert quality["weights/auroc"] == 0.5
    oracle = torch.from_numpy(windows.windows.clean).float() + 0.5
    assert weight_quality(oracle, windows.windows, [4, 5])["weights/auroc"] == 1


def test_training_and_test_windows_come_from_other_tiles(root, taxonomy):
    windows = weak_shot_data(root, taxonomy)
    names = [t.name for t in windows.windows.tiles.tiles]
    used = {names[p.tile] for p in windows.windows.patches}
    scored = {t.name for t in windows.test.tiles.tiles}
    assert used == {"s4", "s5", "t0", "t1", "t2"}
    assert scored == {"q0", "t3"}
    parking = weak_shot_data(root, taxonomy, left_out=["hall"])
    assert parking.novel_ids == [4]
    assert 5 not in {*parking.windows.labels.tolist(), *parking.test.labels.tolist()}
    alone = weak_shot_data(root, taxonomy, with_base=False)
    assert set(alone.windows.labels.tolist()) == set(alone.test.labels.tolist()) == {4, 5}


def test_it_learns_the_windows_and_scores_them(root, taxonomy):
    windows = weak_shot_data(root, taxonomy, SyntheticNoise(0.0))
    torch.manual_seed(0)
    module = WeakShotClassifier(
        Colours(), [1, 2, 3, 4, 5], [4, 5], torch.ones(len(windows.windows)), plan(0.3)
    )
    run = trainer(30)
    run.fit(module, windows)
    (scores,) = run.test(module, windows, verbose=False)
    assert scores["test/novel_accuracy"] > 0.9
    assert scores["test/base_accuracy"] > 0.9
    assert int(module.confusion.sum()) == len(windows.test)


def test_the_graph_term_acts_in_the_first_pass_only(root, taxonomy):
    windows = weak_shot_data(root, taxonomy, sizes=(24, 8))
    seen = []

    class Spy(GraphRegularisation):
        def forward(self, features, similarity, labels):
            seen.append(len(features))
            return super().forward(features, similarity, labels)

    module = WeakShotClassifier(
        Colours(),
        [1, 2, 3, 4, 5],
        [4, 5],
        torch.ones(len(windows.windows)),
        plan(),
        Spy(),
        0.1,
        sim_net(),
        graph_batches=windows.first_pass,
    )
    trainer().fit(module, windows)
    assert seen == [24] * -(-len(windows.windows) // 24)


def test_class_ids_may_lie_beyond_those_of_a_label_byte():
    module = WeakShotClassifier(Colours(), list(range(700)), [699], torch.ones(3), plan())
    assert module.place[699] == 699
    assert module.classifier.out_features == 700
    batch = {"input": torch.rand(2, 3, 8, 8), "label": torch.tensor([256, 699])}
    module.test_step(batch, 0)
    assert int(module.confusion[256].sum()) == int(module.confusion[699].sum()) == 1
    assert int(module.among_novel[699, 699]) == 1


def test_scores_of_a_known_confusion():
    confusion = torch.tensor([[8, 0, 2], [1, 3, 0], [4, 0, 4]])
    among_novel = torch.tensor([[0, 0, 0], [0, 4, 0], [0, 2, 6]])
    found = weak_shot_scores(confusion, among_novel, [1, 2])
    assert found["novel_accuracy"] == pytest.approx(10 / 12)
    assert found["novel_macro_f1"] == pytest.approx((8 / 10 + 12 / 14) / 2)
    assert found["generalized_accuracy"] == pytest.approx(15 / 22)
    assert found["base_accuracy"] == pytest.approx(0.8)
    assert found["generalized_novel_accuracy"] == pytest.approx((0.75 + 0.5) / 2)
    assert found["harmonic_accuracy"] == pytest.approx(2 * 0.8 * 0.625 / 1.425)
    alone = weak_shot_scores(confusion[1:, 1:], among_novel[1:, 1:], [0, 1])
    assert set(alone) == {"novel_accuracy", "novel_macro_f1"}


def test_too_few_windows_and_impossible_settings_are_errors(root, taxonomy):
    data = FewShotDataModule(root, taxonomy, num_workers=0)
    with pytest.raises(DataError, match=r"support tiles.*data\.window"):
        WeakShotData(data, 64, TileLabel(), True, 20, [8])
    for bad in ({"kind": "max"}, {"anchors": 0}, {"share": 0}, {"rescale": "exp"}):
        with pytest.raises(ConfigError):
            Weighting(**bad)
