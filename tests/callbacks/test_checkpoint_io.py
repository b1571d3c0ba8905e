import errno
import os

import pytest
import torch
from torch import nn

from terrashot.callbacks import checkpoint_io
from terrashot.callbacks.checkpoint_io import AtomicCheckpointIO
from terrashot.errors import CheckpointError


def _checkpoint(value, size=1000):
    return {"state_dict": {"weight": torch.full((size,), float(value))}, "epoch": value}


def test_a_checkpoint_comes_back_as_it_was(tmp_path):
    path = tmp_path / "new_folder" / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint(_checkpoint(3), path)
    loaded = AtomicCheckpointIO().load_checkpoint(path)
    assert loaded["epoch"] == 3
    assert torch.equal(loaded["state_dict"]["weight"], torch.full((1000,), 3.0))
    assert os.listdir(path.parent) == ["last.ckpt"]


def test_a_full_disk_leaves_the_old_checkpoint_and_says_what_is_needed(small_disk):
    plugin = AtomicCheckpointIO()
    path = small_disk / "last.ckpt"
    plugin.save_checkpoint(_checkpoint(1), path)
    before = path.read_bytes()
    with pytest.raises(CheckpointError) as caught:
        plugin.save_checkpoint(_checkpoint(2, size=250_000), path)
    message = str(caught.value)
    assert str(path) in message
    assert "about 1.0 MB are needed" in message
    assert "untouched" in message
    assert path.read_bytes() == before
    assert plugin.load_checkpoint(path)["epoch"] == 1
    assert os.listdir(small_disk) == ["last.ckpt"]


@pytest.mark.parametrize(
    "failure",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0"),
        RuntimeError("PytorchStreamWriter failed writing file data/3: file write failed"),
    ],
)
def test_a_write_that_breaks_off_leaves_the_old_checkpoint(tmp_path, monkeypatch, failure):
    plugin = AtomicCheckpointIO()
    path = tmp_path / "last.ckpt"
    plugin.save_checkpoint(_checkpoint(1), path)

    def write_half(value, target):
        target.write(b"half of a checkpoint")
        raise failure

    monkeypatch.setattr(checkpoint_io.torch, "save", write_half)
    with pytest.raises(CheckpointError, match="disk is full"):
        plugin.save_checkpoint(_checkpoint(2), path)
    assert plugin.load_checkpoint(path)["epoch"] == 1
    assert os.listdir(tmp_path) == ["last.ckpt"]


def test_an_error_that_is_not_the_disks_is_not_called_a_full_disk(tmp_path):
    with pytest.raises(Exception, match="pickle") as caught:
        AtomicCheckpointIO().save_checkpoint({"f": lambda: None}, tmp_path / "last.ckpt")
    assert not isinstance(caught.value, CheckpointError)
    assert os.listdir(tmp_path) == []


def test_a_module_inside_is_refused(tmp_path):
    path = tmp_path / "module.ckpt"
    torch.save({"model": nn.Linear(2, 2)}, path)
    with pytest.raises(CheckpointError, match=r"module\.ckpt.*no readable checkpoint"):
        AtomicCheckpointIO().load_checkpoint(path, weights_only=False)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 cut off"])
def test_a_file_that_is_no_checkpoint_is_named(tmp_path, content):
    path = tmp_path / "broken.ckpt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"broken\.ckpt"):
        AtomicCheckpointIO().load_checkpoint(path)


def test_a_truncated_checkpoint_and_a_missing_one_are_named(tmp_path):
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint(_checkpoint(1), path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CheckpointError, match="no readable checkpoint"):
        AtomicCheckpointIO().load_checkpoint(path)
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        AtomicCheckpointIO().load_checkpoint(tmp_path / "none.ckpt")


def test_a_bare_tensor_is_no_checkpoint(tmp_path):
    torch.save(torch.ones(3), tmp_path / "tensor.ckpt")
    with pytest.raises(CheckpointError, match="holds a Tensor"):
        AtomicCheckpointIO().load_checkpoint(tmp_path / "tensor.ckpt")
