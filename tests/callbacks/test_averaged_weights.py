"""The averaged weights are what is validated, what every checkpoint holds and what a run leaves."""

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader

from terrashot.callbacks.averaged_weights import AveragedWeights
from terrashot.callbacks.checkpoint_io import AtomicCheckpointIO
from terrashot.callbacks.epoch_seed import EpochSeed
from terrashot.model.stage1_file import load_base_model
from terrashot.networks.build import build_segmenter
from terrashot.tasks.base_segmentation import BaseSegmentation
from terrashot.tasks.optimization import OptimizationPlan
from terrashot.taxonomy import Taxonomy

DECAY = 0.4
HEAD, STATISTICS = "segmenter.head.weight", "segmenter.encoder.model.bn1.running_mean"
CLASSES = {"base": ["land", "road"], "novel": ["water"]}


def kept(state):
    return {name: state[name].clone() for name in (HEAD, STATISTICS)}


class Record(pl.Callback):
    """Raw weights after each step, those of each validation; may cut the power in an epoch."""

    def __init__(self, cut=None):
        self.cut, self.raw, self.validated = cut, [], []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.raw.append(kept(pl_module.state_dict()))
        if (trainer.current_epoch, batch_idx) == self.cut:
            raise KeyboardInterrupt

    def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        self.validated.append(kept(pl_module.state_dict()))


def train(folder, cut=None, resume=None):
    """Two epochs of two steps."""
    torch.manual_seed(0)
    taxonomy = Taxonomy.from_dict({"name": "toy", **CLASSES})
    network = {
        "backbone": {"name": "mobilenetv2_050"},
        "decoder": {"name": "fpn", "pyramid_channels": 16, "segmentation_channels": 32},
        "num_classes": taxonomy.num_base,
    }
    plan = OptimizationPlan("adamw", 1e-2, 1e-2, 0.0, 0.9, "constant", 0.0, 0.0)
    loss = nn.CrossEntropyLoss(ignore_index=255)
    module = BaseSegmentation(build_segmenter(network), loss, plan, taxonomy)
    image, mask = torch.rand(8, 3, 32, 32), torch.randint(0, taxonomy.num_base, (8, 32, 32))
    tiles = [{"image": i, "mask": m} for i, m in zip(image, mask, strict=True)]
    record = Record(cut)
    best = ModelCheckpoint(folder, "best", "val/loss", save_weights_only=True)
    last = ModelCheckpoint(folder, "last", every_n_epochs=1, save_on_train_epoch_end=True)
    trainer = pl.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        callbacks=[EpochSeed(0), record, AveragedWeights(DECAY, torch.device("cpu")), best, last],
        plugins=[AtomicCheckpointIO()],
    )
    own = torch.Generator()
    loaders = DataLoader(tiles, 4, generator=own), DataLoader(tiles[:1], 1, generator=own)
    if cut is None:
        trainer.fit(module, *loaders, ckpt_path=resume, weights_only=True)
    else:
        with pytest.raises(SystemExit):
            trainer.fit(module, *loaders)
    return record, module


def averages(raw):
    """The first weights, then 2/11 or more of what was before, ``DECAY`` at most."""
    found = raw[0]
    yield found
    for steps, state in enumerate(raw[1:], start=1):
        share = min(DECAY, (1 + steps) / (10 + steps))
        found = {k: share * found[k] + (1 - share) * state[k] for k in found}
        yield found


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    return folder, *train(folder)


def same(one, other):
    return all(torch.allclose(one[k], other[k], atol=1e-6) for k in (HEAD, STATISTICS))


def test_validation_sees_the_average_and_training_goes_on_from_the_weights(unbroken):
    _, record, module = unbroken
    expected = list(averages(record.raw))
    assert len(expected) == 4
    assert same(record.validated[0], expected[1])
    assert same(record.validated[1], expected[3])
    assert same(module.state_dict(), expected[3])
    assert not same(record.raw[3], expected[3])


def test_files_with_and_without_optimizer_hold_the_average(unbroken):
    folder, record, _ = unbroken
    expected = list(averages(record.raw))
    last = torch.load(folder / "last.ckpt", weights_only=True)
    assert same(last["state_dict"], expected[3])
    assert same(last["current_model_state"], record.raw[3])
    best = torch.load(folder / "best.ckpt", weights_only=True)
    assert "current_model_state" not in best
    assert "optimizer_states" not in best
    assert same(best["state_dict"], expected[1 + 2 * best["epoch"]])
    for name, file in (("best.ckpt", best), ("last.ckpt", last)):
        head = load_base_model(folder / name).segmenter.head.weight
        assert torch.equal(head, file["state_dict"][HEAD])


@pytest.mark.filterwarnings("ignore")
def test_a_run_that_was_stopped_in_an_epoch_goes_on_with_both(unbroken, tmp_path):
    _, record, module = unbroken
    train(tmp_path, cut=(1, 0))
    again, resumed = train(tmp_path, resume=tmp_path / "last.ckpt")
    assert same(again.raw[-1], record.raw[-1])
    assert same(resumed.state_dict(), module.state_dict())
