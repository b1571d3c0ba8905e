import json

import pytest
import torch

from terrashot.adaptation.inference import Inference
from terrashot.errors import CheckpointError
from terrashot.model.adapted_file import load_adapted_model, save_adapted_model

INFO = {"method": "terrashot", "support": {"car": ["a.tif", "b.tif"]}, "revision": "abc"}


@pytest.fixture(scope="module")
def saved(make_adapted, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "adapted.ckpt"
    model = make_adapted("rank_one", Inference("hv", 5), align_corners=True)
    save_adapted_model(path, model, INFO)
    return path, model


@pytest.mark.parametrize("kind", ["none", "rank_one", "shared", "full"])
def test_a_file_maps_like_the_model_without_the_support(make_adapted, tmp_path, kind):
    model = make_adapted(kind)
    save_adapted_model(tmp_path / "adapted.ckpt", model, INFO)
    again = load_adapted_model(tmp_path / "adapted.ckpt")
    image = torch.rand(2, 3, 64, 96)
    assert torch.equal(again(image), model(image))
    assert not again.training


def test_classes_settings_and_provenance_come_back(saved):
    path, model = saved
    again = load_adapted_model(path.parent)  # a run folder stands for its file
    assert again.taxonomy == model.taxonomy
    assert (again.inference.flips, again.inference.smoothing) == ("hv", 5)
    assert again.align_corners is True
    assert again.provenance == INFO
    assert again.description == {**model.description, "provenance": INFO}
    json.dumps(again.description)  # plain values only
    assert [file.name for file in path.parent.iterdir()] == ["adapted.ckpt"]


def test_a_stage1_checkpoint_says_how_to_adapt_it(tmp_path, make_adapted):
    model = make_adapted()
    path = tmp_path / "checkpoints" / "best.ckpt"
    path.parent.mkdir()
    torch.save({"terrashot": {"format": 1, "network": {}}, "state_dict": {}}, path)
    with pytest.raises(
        CheckpointError, match=rf"not an adapted.*experiment=adapt checkpoint={path}"
    ):
        load_adapted_model(path)
    with pytest.raises(CheckpointError, match="folder of a stage-1 run"):
        load_adapted_model(tmp_path)
    assert model.num_classes == 5


def test_foreign_cut_off_and_missing_files_are_refused(saved, tmp_path):
    path, _ = saved
    cut, foreign, text, newer = (tmp_path / f"{name}.ckpt" for name in ("cut", "f", "text", "new"))
    cut.write_bytes(path.read_bytes()[:9000])
    torch.save({"conv.weight": torch.zeros(3)}, foreign)
    text.write_text("hello")
    content = torch.load(path, weights_only=True)
    content["terrashot_adapted"]["format"] = 9
    torch.save(content, newer)
    for file, words in [
        (cut, "cut off"),
        (text, "cut off, or no file"),
        (foreign, "no adapted checkpoint"),
        (newer, "format 9"),
        (tmp_path / "none.ckpt", "no such file"),
        (tmp_path, "folder without adapted.ckpt"),
    ]:
        with pytest.raises(CheckpointError, match=words) as error:
            load_adapted_model(file)
        assert "run.py experiment=adapt checkpoint=" in str(error.value)


@pytest.mark.parametrize(
    "missing", ["head.own_layer_scale", "head.snapshot", "segmenter.head.bias"]
)
def test_tensors_that_do_not_fit_are_refused(saved, tmp_path, missing):
    content = torch.load(saved[0], weights_only=True)
    del content["state_dict"][missing]
    torch.save(content, tmp_path / "changed.ckpt")
    with pytest.raises(CheckpointError, match="do not fit"):
        load_adapted_model(tmp_path / "changed.ckpt")
