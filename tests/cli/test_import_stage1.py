"""`terrashot import`: a stage-1 checkpoint from the published one, and nothing in its place."""

import pytest
import torch

from terrashot.cli.main import main
from terrashot.model.stage1_file import load_base_model


@pytest.fixture
def published(narrow, tmp_path):
    path = tmp_path / "classtrans.pth"
    torch.save(narrow, path)
    return path


def test_the_imported_network_is_the_published_one(published, tmp_path, capsys):
    output = tmp_path / "made" / "classtrans.ckpt"
    assert main(["import", str(published), "--output", str(output)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "392 tensors" in said
    assert f"checkpoint={output}" in said
    first, again = load_base_model(published), load_base_model(output)
    assert again.segmenter.description == first.segmenter.description
    assert again.origin == first.origin
    state = again.segmenter.state_dict()
    for name, value in first.segmenter.state_dict().items():
        assert torch.equal(state[name], value), name


def test_what_is_there_stays_and_what_is_no_published_file_is_said(published, tmp_path, capsys):
    output = tmp_path / "there.ckpt"
    output.write_text("mine")
    assert main(["import", str(published), "--output", str(output)]) == 1
    assert output.read_text() == "mine"
    assert "is there already" in " ".join(capsys.readouterr().err.split())
    own = tmp_path / "own.ckpt"
    assert main(["import", str(published), "--output", str(own)]) == 0
    capsys.readouterr()
    assert main(["import", str(own), "--output", str(tmp_path / "again.ckpt")]) == 1
    assert "checkpoint=PATH" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "again.ckpt").exists()
