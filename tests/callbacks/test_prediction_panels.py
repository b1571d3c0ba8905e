import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader

from terrashot.callbacks.prediction_panels import PredictionPanels, evenly_spaced
from terrashot.taxonomy import Taxonomy

TAXONOMY = Taxonomy.from_dict(
    {
        "background": {"name": "background", "color": "#000000"},
        "base": [{"name": "tree", "color": "#226126"}],
        "novel": [{"name": "river", "color": "#2266dd"}],
    }
)


class _Learner(LightningModule):
    """Predicts class 1 in epoch 0 and class 2 afterwards; every third tile is skipped."""

    def __init__(self, skip=False):
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.skip = skip

    def training_step(self, batch, batch_idx):
        return self.layer.weight.sum()

    def validation_step(self, batch, batch_idx):
        if self.skip and batch_idx % 3 == 0:
            return None
        value = 1 if self.current_epoch == 0 else 2
        return {**batch, "prediction": torch.full_like(batch["mask"], value)}

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.0)


def _loader(count=7, batch_size=2, size=24):
    tiles = [
        {
            "name": f"city/tile {i}.tif",
            "image": torch.full((3, size, size), i / 10),
            "mask": torch.ones(size, size, dtype=torch.long),
        }
        for i in range(count)
    ]
    return DataLoader(tiles, batch_size=batch_size)


def _fit(tmp_path, epochs, count=3, **settings):
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[PredictionPanels(tmp_path, TAXONOMY, count)],
        default_root_dir=tmp_path,
        **settings,
    )
    trainer.fit(_Learner(), _loader(2), _loader())
    files = sorted((tmp_path / "figures" / "val").glob("*.png"))
    return {f.name: np.asarray(Image.open(f)) for f in files}


@pytest.mark.filterwarnings("ignore")
def test_the_same_tiles_are_drawn_each_epoch_and_show_the_newest(tmp_path):
    first = _fit(tmp_path / "one", 1)
    second = _fit(tmp_path / "two", 2)
    assert list(first) == ["tile_1.png", "tile_3.png", "tile_5.png"]
    assert list(second) == list(first)
    # Right in epoch 0, wrong everywhere in epoch 1.
    assert all(not np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.filterwarnings("ignore")
def test_a_limited_validation_spreads_over_what_it_sees(tmp_path):
    assert list(_fit(tmp_path, 1, count=2, limit_val_batches=1)) == ["tile_0.png", "tile_1.png"]


@pytest.mark.filterwarnings("ignore")
def test_steps_that_return_nothing_are_counted_and_not_drawn(tmp_path):
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[PredictionPanels(tmp_path, TAXONOMY, 7)],
        default_root_dir=tmp_path,
    )
    trainer.validate(_Learner(skip=True), _loader(batch_size=1), verbose=False)
    drawn = sorted(f.name for f in (tmp_path / "figures" / "val").glob("*.png"))
    assert drawn == [f"tile_{i}.png" for i in (1, 2, 4, 5)]


@pytest.mark.parametrize(("total", "count"), [(10, 3), (3, 10), (1, 1), (0, 4), (45, 6), (5, 0)])
def test_evenly_spaced_numbers_are_distinct_and_inside(total, count):
    chosen = evenly_spaced(total, count)
    assert len(chosen) == min(total, count)
    assert all(0 <= i < total for i in chosen)
    gaps = np.diff(sorted(chosen))
    assert not len(gaps) or gaps.max() - gaps.min() <= 1
