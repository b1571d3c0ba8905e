import numpy as np
import pytest
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from terrashot.callbacks import media
from terrashot.callbacks.media import (
    log_figure,
    log_panels,
    log_picture,
    log_pictures,
    log_table,
)
from terrashot.reporting.figures import figure_to_array, new_figure
from terrashot.reporting.panels import Panel
from terrashot.taxonomy import Taxonomy

TAXONOMY = Taxonomy.from_dict(
    {
        "background": {"name": "background", "color": "#000000"},
        "base": [{"name": "tree", "color": "#226126"}],
    }
)


class _Recorder:
    def __init__(self):
        self.images, self.texts = {}, {}

    def add_image(self, tag, picture, step, dataformats):
        assert dataformats == "HWC"
        self.images[tag, step] = picture

    def add_text(self, tag, text, step):
        self.texts[tag, step] = text


class _Board(TensorBoardLogger):
    """TensorBoard's logger without its writer, which is an optional dependency."""

    def __init__(self):
        self.recorder = _Recorder()

    @property
    def experiment(self):
        return self.recorder


@pytest.fixture
def loggers(tmp_path):
    return [CSVLogger(tmp_path), _Board()]


def test_tensorboard_gets_pictures_panels_and_tables_and_csv_is_left_alone(loggers, tmp_path):
    picture = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    ids = np.ones((4, 5), dtype=np.uint8)
    panel = Panel("tile_3.tif", picture, ids, ids)
    log_picture(loggers, "test/confusion", picture, 7)
    log_panels(loggers, "val/panels", [panel], [picture], TAXONOMY, 8)
    log_pictures(loggers, "val/episodes", [picture, picture + 1], ["one", "two"], 8)
    log_pictures(loggers, "val/nothing", [], [], 8)
    log_table(loggers, "test/classes", ["class", "iou"], [["tree", 0.5], ["road", None]], 9)
    recorder = loggers[1].recorder
    assert np.array_equal(recorder.images["test/confusion", 7], picture)
    assert np.array_equal(recorder.images["val/panels/tile_3.tif", 8], picture)
    assert np.array_equal(recorder.images["val/episodes/1", 8], picture + 1)
    assert not [tag for tag, _ in recorder.images if tag.startswith("val/nothing")]
    lines = recorder.texts["test/classes", 9].splitlines()
    assert lines == ["| class | iou |", "| --- | --- |", "| tree | 0.5 |", "| road | None |"]
    assert not list(tmp_path.rglob("*"))


def test_a_figure_is_drawn_only_for_loggers_that_take_pictures(loggers, monkeypatch):
    figure, _ = new_figure(1, 1)
    log_figure(loggers, "test/iou", figure, 3)
    assert np.array_equal(loggers[1].recorder.images["test/iou", 3], figure_to_array(figure))
    monkeypatch.setattr(media, "figure_to_array", None)
    log_figure(loggers[:1], "test/iou", figure, 3)
