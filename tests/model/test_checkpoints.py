"""One reader and one writer; files in the layout of before still load."""

import re
from pathlib import Path

import pytest
import torch

from terrashot.errors import CheckpointError
from terrashot.model.adapted_file import load_adapted_model, save_adapted_model
from terrashot.model.checkpoints import (
    ADAPTED,
    ENCODER,
    STAGE1,
    CheckpointKind,
    kind_of,
    read_checkpoint,
    write_checkpoint,
)
from terrashot.model.stage1_file import load_base_model

WING = CheckpointKind("parrot", "terrashot_parrot", "beak", "Train a parrot.", "bird.", True)


def test_only_one_place_reads_files_of_tensors(repository):
    """Lightning's own resume apart, which goes through ``AtomicCheckpointIO``."""
    found = {
        (path.name, word)
        for path in (repository / "src").rglob("*.py")
        for word in re.findall(r"torch\.(?:load|save)\(|pickle\.load", path.read_text("utf-8"))
    }
    readers = {"checkpoint_file.py", "checkpoint_io.py"}
    assert found == {(name, f"torch.{word}(") for name in readers for word in ("load", "save")}


def test_an_adapted_file_in_the_layout_of_before_loads(make_adapted, tmp_path):
    model = make_adapted("rank_one")
    header = {"format": 1, **model.description, "provenance": {"method": "terrashot"}}
    torch.save({"terrashot_adapted": header, "state_dict": model.state_dict()}, tmp_path / "a.ckpt")
    again = load_adapted_model(tmp_path / "a.ckpt")
    image = torch.rand(1, 3, 64, 64)
    assert torch.equal(again(image), model(image))


def test_a_stage1_checkpoint_in_the_layout_of_before_loads(make_adapted, tmp_path):
    model = make_adapted()
    header = {
        "format": 1,
        "network": model.segmenter.description,
        "taxonomy": model.taxonomy.base_only().to_dict(),
    }
    state = {f"segmenter.{k}": v for k, v in model.segmenter.state_dict().items()}
    state["loss.margins"] = torch.zeros(3)  # what a training keeps beside the network
    path = tmp_path / "last.ckpt"
    torch.save(
        {"epoch": 3, "optimizer_states": [{}], "state_dict": state, "terrashot": header}, path
    )
    again = load_base_model(path)
    image = torch.rand(1, 3, 64, 64)
    assert torch.equal(again.segmenter.eval()(image), model.segmenter(image))


def test_what_is_written_says_its_kind_and_comes_back(tmp_path):
    write_checkpoint(tmp_path / "a.ckpt", WING, {"beak": "red"}, {"wing": torch.ones(2)})
    header, state = read_checkpoint(tmp_path / "a.ckpt", WING)
    assert header == {"format": 1, "kind": "parrot", "beak": "red"}
    assert list(state) == ["wing"]
    assert torch.equal(state["wing"], torch.ones(2))
    assert [path.name for path in tmp_path.iterdir()] == ["a.ckpt"]


def test_a_write_that_fails_leaves_the_file_of_before(tmp_path, monkeypatch):
    path = tmp_path / "a.ckpt"
    write_checkpoint(path, WING, {"beak": "red"}, {})

    def stop(*_):
        raise OSError("no space left")

    monkeypatch.setattr(torch, "save", stop)
    with pytest.raises(OSError, match="no space"):
        write_checkpoint(path, WING, {"beak": "blue"}, {})
    assert read_checkpoint(path, WING)[0]["beak"] == "red"
    assert [p.name for p in tmp_path.iterdir()] == ["a.ckpt"]


@pytest.fixture
def files(make_adapted, tmp_path) -> dict[str, Path]:
    model = make_adapted()
    paths = {name: tmp_path / f"{name}.ckpt" for name in ("stage1", "adapted", "encoder", "parrot")}
    save_adapted_model(paths["adapted"], model, {})
    about = {"network": model.segmenter.description, "taxonomy": model.taxonomy.to_dict()}
    write_checkpoint(paths["stage1"], STAGE1, about, model.segmenter.state_dict())
    write_checkpoint(paths["encoder"], ENCODER, {"arch": "x"}, {})
    write_checkpoint(paths["parrot"], WING, {"beak": "red"}, {})
    return paths


@pytest.mark.parametrize(
    ("given", "wanted", "words"),
    [
        (
            "stage1",
            ADAPTED,
            "is a stage-1 checkpoint, not an adapted checkpoint.*checkpoint=.*stage1",
        ),
        (
            "adapted",
            STAGE1,
            "is an adapted checkpoint, not a stage-1 checkpoint.*experiment=stage1",
        ),
        ("encoder", STAGE1, r"is an encoder file, not a stage-1.*backbone\.weights=PATH"),
        ("parrot", STAGE1, "another checkpoint of terrashot, no stage-1 checkpoint"),
        ("adapted", WING, "is an adapted checkpoint, not a parrot. Train a parrot"),
    ],
)
def test_a_file_of_another_kind_is_named_with_what_to_do(files, given, wanted, words):
    with pytest.raises(CheckpointError, match=words) as error:
        read_checkpoint(files[given], wanted)
    assert str(files[given]) in str(error.value)


def test_the_kind_of_a_file_is_told(files):
    for name, kind in (("stage1", STAGE1), ("adapted", ADAPTED)):
        assert kind_of(files[name], (STAGE1, ADAPTED)) == kind
    with pytest.raises(CheckpointError, match="encoder file"):
        kind_of(files["encoder"], (STAGE1, ADAPTED))
