"""Loaders: what each holds, on every rank, and the same whatever makes it."""

from types import SimpleNamespace

import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from terrashot.data.datamodule import FewShotDataModule
from terrashot.data.transforms import TrainTransform
from terrashot.errors import DataError
from terrashot.taxonomy import Taxonomy


def module(dataset, taxonomy, **kwargs):
    transform = TrainTransform(
        32, rotation=45, affine_p=0.5, hflip_p=0.5, noise_p=0.5, brightness=0.2
    )
    defaults = {"train_transform": transform, "batch_size": 4, "num_workers": 0, "seed": 3}
    return FewShotDataModule(dataset, taxonomy, **(defaults | kwargs))


def on_rank(data, rank, world_size):
    """The data module as it is in a process of a distributed run."""
    data.trainer = SimpleNamespace(global_rank=rank, world_size=world_size, num_devices=world_size)
    return data


def test_training_batches_are_crops_of_base_classes(dataset, taxonomy):
    batches = list(module(dataset, taxonomy).train_dataloader())
    assert [len(b["name"]) for b in batches] == [4, 4]  # the ninth tile waits for another epoch
    for batch in batches:
        assert batch["image"].shape == (4, 3, 32, 32)
        assert batch["mask"].shape == (4, 32, 32)
        assert set(batch["mask"].unique().tolist()) <= {0, 1, 2, 3, 255}


def test_a_set_smaller_than_a_batch_still_trains(dataset, taxonomy):
    (batch,) = module(dataset, taxonomy, batch_size=50).train_dataloader()
    assert len(batch["name"]) == 9


def test_no_tile_is_in_training_and_validation(dataset, taxonomy):
    data = module(dataset, taxonomy, batch_size=1)
    train = {n for b in data.train_dataloader() for n in b["name"]}
    val = {n for b in data.val_dataloader() for n in b["name"]}
    assert len(train) == 9
    assert len(val) == 3
    assert not train & val


def test_validation_fills_unlike_sizes_with_ignore(dataset, taxonomy):
    (batch,) = module(dataset, taxonomy, eval_batch_size=3).val_dataloader()
    assert batch["mask"].shape == (3, 48, 48)
    assert (batch["mask"][0, 40:] == 255).all()


def test_query_tiles_have_all_classes_and_native_size(dataset, taxonomy):
    batches = [b for (b,) in module(dataset, taxonomy).test_dataloader()]
    assert [tuple(b["mask"].shape[1:]) for b in batches] == [(s, s) for s in (40, 42, 44, 46, 48)]
    assert {4, 5} <= set(batches[0]["mask"].unique().tolist())


def test_eval_size_resizes_validation_support_and_query_tiles(dataset, taxonomy):
    data = module(dataset, taxonomy, eval_size=64)
    shapes = {tuple(b["mask"].shape) for (b,) in data.test_dataloader()}
    shapes |= {tuple(b["mask"].shape) for b in data.val_dataloader()}
    assert shapes == {(1, 64, 64)}
    assert data.support[0]["mask"].shape == (64, 64)


def test_finished_queries_are_skipped(dataset, taxonomy):
    data = module(dataset, taxonomy)
    data.skip = {"query_1", "query_4"}
    names = [b["name"][0] for (b,) in data.test_dataloader()]
    assert names == ["query_0", "query_2", "query_3"]


def test_a_batch_holds_as_many_queries_as_asked_for_whatever_their_sizes(dataset, taxonomy):
    data = module(dataset, taxonomy)
    data.queries_per_batch = 2
    sizes = [[b["mask"].shape[1] for b in batch] for batch in data.test_dataloader()]
    assert sizes == [[40, 42], [44, 46], [48]]


@pytest.mark.parametrize("skip", [set(), {"query_0"}])
def test_two_ranks_share_the_queries_without_overlap(dataset, taxonomy, skip):
    names = []
    for rank in (0, 1):
        data = on_rank(module(dataset, taxonomy), rank, 2)
        data.skip = skip
        names += [b["name"][0] for (b,) in data.test_dataloader()]
    assert sorted(names) == sorted({f"query_{i}" for i in range(5)} - skip)


def test_two_ranks_validate_each_pixel_once_in_as_many_steps(dataset, taxonomy):
    whole = torch.zeros(256, dtype=torch.int64)
    for batch in module(dataset, taxonomy).val_dataloader():
        whole += torch.bincount(batch["mask"].flatten(), minlength=256)
    parts = torch.zeros(256, dtype=torch.int64)
    steps = []
    for rank in (0, 1):
        batches = list(on_rank(module(dataset, taxonomy), rank, 2).val_dataloader())
        steps.append(len(batches))
        for batch in batches:
            parts += torch.bincount(batch["mask"].flatten(), minlength=256)
    assert steps == [2, 2]
    assert torch.equal(whole[:255], parts[:255])


def test_two_ranks_train_on_equal_numbers_of_tiles(dataset, taxonomy):
    parts = []
    for rank in (0, 1):
        loader = on_rank(module(dataset, taxonomy, batch_size=1), rank, 2).train_dataloader()
        parts.append([b["name"][0] for b in loader])
    assert len(parts[0]) == len(parts[1]) == 5
    assert len(set(parts[0]) | set(parts[1])) == 9


def epochs(data, wanted):
    loader = data.train_dataloader()
    batches = []
    for epoch in wanted:
        loader.sampler.set_epoch(epoch)
        batches.append(list(loader))
    return batches


def equal(a, b):
    return a["name"] == b["name"] and all(torch.equal(a[k], b[k]) for k in ("image", "mask"))


def test_epochs_are_the_same_with_any_number_of_workers(dataset, taxonomy):
    alone = epochs(module(dataset, taxonomy), range(3))
    torch.manual_seed(77)
    helped = epochs(module(dataset, taxonomy, num_workers=2), range(3))
    for a, b in zip(alone, helped, strict=True):
        assert all(equal(x, y) for x, y in zip(a, b, strict=True))
    assert not equal(alone[0][0], alone[1][0])


def test_loaders_draw_nothing_from_the_global_generator(dataset, taxonomy):
    data = module(dataset, taxonomy)
    state = torch.get_rng_state()
    for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader()):
        list(loader)
    assert torch.equal(state, torch.get_rng_state())


class Recorder(LightningModule):
    """Learns nothing; keeps what it was shown."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.shown = []

    def training_step(self, batch, _):
        self.shown.append((self.current_epoch, batch))
        return self.layer(batch["image"].mean().reshape(1, 1)).sum()

    def validation_step(self, batch, _):
        pass

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


def fit(data, folder, max_epochs, checkpoint=None, **when):
    recorder = Recorder()
    saver = ModelCheckpoint(folder, filename="{epoch}", save_top_k=-1, **when)
    trainer = Trainer(
        max_epochs=max_epochs,
        accelerator="cpu",
        logger=False,
        callbacks=[saver],
        use_distributed_sampler=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(recorder, data, ckpt_path=checkpoint, weights_only=True)
    return recorder.shown


@pytest.mark.parametrize("when", [{}, {"save_on_train_epoch_end": True}])
def test_a_resumed_run_sees_the_epochs_it_would_have_seen(dataset, taxonomy, tmp_path, when):
    unbroken = fit(module(dataset, taxonomy), tmp_path / "a", 4, **when)
    fit(module(dataset, taxonomy), tmp_path / "b", 2, **when)
    resumed = fit(module(dataset, taxonomy), tmp_path / "c", 4, tmp_path / "b/epoch=1.ckpt", **when)
    assert [epoch for epoch, _ in unbroken] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert [epoch for epoch, _ in resumed] == [2, 2, 3, 3]
    for (_, a), (_, b) in zip(unbroken[4:], resumed, strict=True):
        assert equal(a, b)


def test_the_maker_makes_the_data_before_they_are_looked_for(dataset, taxonomy, tmp_path):
    elsewhere = tmp_path / "made"
    data = module(elsewhere, taxonomy, maker=lambda: dataset.rename(elsewhere))
    shown = fit(data, tmp_path / "run", 1)
    assert len(shown) == 2


def test_setup_looks_for_what_its_stage_needs(dataset, taxonomy):
    (dataset / "test.json").unlink()
    module(dataset, taxonomy).setup("fit")
    with pytest.raises(DataError, match=r"test\.json does not exist"):
        module(dataset, taxonomy).setup("test")
    with pytest.raises(DataError, match=r"Run this\."):
        module(dataset / "no", taxonomy, hint="Run this.").setup("fit")


def test_label_counts_are_those_of_the_training_tiles(dataset, taxonomy):
    data = module(dataset, taxonomy)
    counts = data.train_label_counts()
    assert counts.shape == (4,)
    sides = [48 * 48] * 9
    assert int(counts.sum()) == sum(sides)


def test_dubai_trains_and_counts(shared, tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASHOT_CACHE", str(tmp_path))
    names = ["background", "building", "land", "road", "vegetation", "water"]
    rows = [{"name": n, "color": "#808080"} for n in names]
    dubai = Taxonomy.from_dict({"background": rows[0], "base": rows[1:4], "novel": rows[4:]})
    data = FewShotDataModule(
        shared / "data/dubai", dubai, "val", TrainTransform(256), batch_size=8, num_workers=0
    )
    data.setup()
    batch = next(iter(data.train_dataloader()))
    assert batch["image"].shape == (8, 3, 256, 256)
    counts = data.train_label_counts()
    assert counts.argmax() == 2, "land is the commonest class of Dubai"
    assert len(data.test_dataloader()) == 62
    assert [s["class_id"] for s in data.support] == [4] * 5 + [5] * 5
