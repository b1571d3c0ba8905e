import math
import time

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from PIL import Image
from torch.utils.data import DataLoader

from terrashot.callbacks import wandb_run
from terrashot.callbacks.prediction_panels import PredictionPanels
from terrashot.callbacks.score_report import report_scores
from terrashot.callbacks.wandb_run import finish_wandb, make_wandb_logger, resolve_mode
from terrashot.evaluation.scores import gfss_scores
from terrashot.taxonomy import Taxonomy

pytestmark = pytest.mark.usefixtures("offline_wandb")

TAXONOMY = Taxonomy.from_dict(
    {
        "background": {"name": "background", "color": "#000000"},
        "base": [{"name": "tree", "color": "#226126"}, {"name": "road", "color": "#888899"}],
        "novel": [{"name": "river", "color": "#2266dd"}],
    }
)
CONFUSION = torch.tensor([[50, 2, 0, 0], [4, 30, 1, 0], [0, 3, 20, 2], [0, 0, 0, 0]])


class _Tester(LightningModule):
    """Predicts the truth but for the first row of each tile."""

    def test_step(self, batch, batch_idx):
        prediction = batch["mask"].clone()
        prediction[:, 0] = 0
        self.log("test/novel_miou", float(batch_idx), on_step=True, on_epoch=False, batch_size=1)
        return {**batch, "prediction": prediction}


def _tiles(count):
    generator = torch.Generator().manual_seed(3)
    return [
        {
            "name": f"tile_{i}.tif",
            "image": torch.rand(3, 16, 20, generator=generator),
            "mask": torch.randint(1, 4, (16, 20), generator=generator),
        }
        for i in range(count)
    ]


def _start(folder, **changes):
    arguments = {
        "project": "terrashot",
        "group": "sweep",
        "name": "first",
        "run_id": "run0001",
        "folder": folder,
        "tags": ["demo", "stage2"],
        "config": {"loss": {"name": "ldam"}, "seed": 4},
    }
    return make_wandb_logger(**{**arguments, **changes})


def _folders(folder):
    return sorted((folder / "wandb").glob("offline-run-*"))


def test_an_offline_run_holds_history_table_panels_and_config(tmp_path, offline_run):
    logger = _start(tmp_path)
    for step, value in enumerate((0.25, 0.5, 0.75)):
        logger.log_metrics({"val/base_miou": value}, step=step)
    tiles = _tiles(5)
    trainer = Trainer(
        accelerator="cpu",
        logger=logger,
        callbacks=[PredictionPanels(tmp_path, TAXONOMY, count=2)],
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=tmp_path,
    )
    trainer.test(_Tester(), DataLoader(tiles, batch_size=2), verbose=False)
    report_scores(trainer.loggers, tmp_path, CONFUSION, TAXONOMY, step=3)
    finish_wandb()

    (folder,) = _folders(tmp_path)
    run = offline_run(folder)
    assert (run.run_id, run.project, run.group, run.name) == (
        "run0001",
        "terrashot",
        "sweep",
        "first",
    )
    assert run.tags == ["demo", "stage2"]
    assert run.config == {"loss": {"name": "ldam"}, "seed": 4}
    assert run.values("val/base_miou") == [0.25, 0.5, 0.75]
    assert run.summary["val/base_miou"] == 0.75

    scores = gfss_scores(CONFUSION, TAXONOMY)
    table = run.table("test/classes")
    assert [row["class"] for row in table] == TAXONOMY.names
    assert [row["role"] for row in table] == ["-", "base", "base", "novel"]
    assert [row["iou"] for row in table] == pytest.approx(scores.iou)
    assert {r["score"]: r["value"] for r in run.table("test/summary")}[
        "base mIoU"
    ] == pytest.approx(scores.base_miou)

    # Two of five tiles, in the middle of their halves, with both maps as masks.
    (panels,) = run.media("test/panels")
    assert panels["captions"] == ["tile_1.tif", "tile_3.tif"]
    chosen = [tiles[1], tiles[3]]
    for tile, masks, picture in zip(chosen, panels["all_masks"], panels["filenames"], strict=True):
        truth = np.asarray(Image.open(folder / "files" / masks["ground_truth"]["path"]))
        guess = np.asarray(Image.open(folder / "files" / masks["prediction"]["path"]))
        assert np.array_equal(truth, tile["mask"].numpy())
        assert np.array_equal(guess[1:], tile["mask"].numpy()[1:])
        assert not guess[0].any()
        assert Image.open(folder / "files" / picture).size == (20, 16)
    (confusion,) = run.media("test/confusion")
    with Image.open(folder / "files" / confusion["filenames"][0]) as image:
        assert min(image.size) > 300
    assert len(list((tmp_path / "figures" / "test").glob("*.png"))) == 2


def test_an_absent_class_is_empty_in_the_table_and_not_zero(tmp_path, offline_run):
    logger = _start(tmp_path)
    confusion = CONFUSION.clone()
    confusion[:, 3] = 0
    assert math.isnan(gfss_scores(confusion, TAXONOMY).iou[3])
    report_scores([logger], tmp_path, confusion, TAXONOMY)
    finish_wandb()
    assert offline_run(_folders(tmp_path)[0]).table("test/classes")[3]["iou"] is None


def test_each_job_of_a_sweep_is_a_run_of_its_own(tmp_path, offline_run):
    for job in ("a", "b"):
        # The first job is left open, as by a job that failed.
        _start(tmp_path / job, run_id=job, name=job).log_metrics({"x": 1.0}, step=0)
    finish_wandb()
    runs = [offline_run(_folders(tmp_path / job)[0]) for job in ("a", "b")]
    assert [r.run_id for r in runs] == ["a", "b"]
    assert [r.group for r in runs] == ["sweep", "sweep"]
    assert [len(r.values("x")) for r in runs] == [1, 1]


def test_a_resumed_run_keeps_its_id(tmp_path, offline_run):
    for _ in range(2):
        _start(tmp_path).log_metrics({"x": 1.0}, step=0)
        finish_wandb()
        time.sleep(1.1)  # wandb names folders by the second
    assert [offline_run(f).run_id for f in _folders(tmp_path)] == ["run0001"] * 2


def test_auto_is_offline_without_credentials_and_online_with_a_key(monkeypatch):
    assert resolve_mode("auto") == "offline"
    assert resolve_mode("online") == "offline"
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    assert resolve_mode("auto") == "online"


def test_auto_is_online_with_a_netrc_entry_of_the_wandb_host_alone(monkeypatch, tmp_path):
    file = tmp_path / "netrc"
    monkeypatch.setenv("NETRC", str(file))
    file.write_text("machine example.org login user password secret\n")
    assert resolve_mode("auto") == "offline"
    file.write_text("machine api.wandb.ai login user password secret\n")
    assert resolve_mode("auto") == "online"


@pytest.mark.parametrize(
    ("said", "meant"), [("disabled", "disabled"), ("dryrun", "offline"), ("online", "online")]
)
def test_the_users_wandb_mode_wins(monkeypatch, said, meant):
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    monkeypatch.setenv("WANDB_MODE", said)
    assert resolve_mode("auto") == meant
    assert resolve_mode("offline") == meant


def test_a_disabled_run_takes_everything_and_writes_nothing(tmp_path):
    logger = _start(tmp_path, mode="disabled")
    logger.log_metrics({"x": 1.0}, step=0)
    report_scores([logger], tmp_path, CONFUSION, TAXONOMY)
    finish_wandb()
    assert not (tmp_path / "wandb").exists()


def test_other_processes_start_no_run(tmp_path, monkeypatch):
    monkeypatch.setattr(wandb_run.rank_zero_only, "rank", 1)
    logger = _start(tmp_path)
    logger.log_metrics  # noqa: B018 - exists, but is never reached on this rank
    assert not (tmp_path / "wandb").exists()


def test_an_unreachable_server_leads_to_an_offline_run(tmp_path, monkeypatch, caplog, offline_run):
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # the discard port: refused
    monkeypatch.setattr(wandb_run, "_INIT_TIMEOUT", 2.0)
    start = time.monotonic()
    _start(tmp_path).log_metrics({"x": 1.0}, step=0)
    finish_wandb()
    assert time.monotonic() - start < 85  # wandb alone would try for 90
    assert "kept offline" in caplog.text
    assert offline_run(_folders(tmp_path)[0]).values("x") == [1.0]
