import pytest
import torch
from safetensors.torch import save_file

from terrashot.errors import CheckpointError
from terrashot.networks.checkpoint_file import read_tensors


def test_tensors_come_back_without_what_stands_beside_them(tmp_path):
    path = tmp_path / "weights.pth"
    tensors = {"a": torch.rand(2), "b": torch.rand(3)}
    torch.save({"epoch": 3, "model": {"state_dict": {**tensors, "version": 1}}}, path)
    read = read_tensors(path)
    assert list(read) == ["a", "b"]
    assert all(torch.equal(read[name], tensors[name]) for name in tensors)


@pytest.mark.parametrize("kind", ["absent", "folder", "text", "cut", "empty", "list", "object"])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, kind):
    path = tmp_path / "weights.pth"
    if kind == "folder":
        path.mkdir()
    elif kind == "text":
        path.write_text("<html>404 not found</html>")
    elif kind == "cut":
        torch.save({"a": torch.zeros(1000)}, path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "list":
        torch.save([torch.zeros(2)], path)
    elif kind == "object":
        torch.save({"state_dict": torch.nn.Linear(2, 2)}, path)
    with pytest.raises(CheckpointError) as caught:
        read_tensors(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert ("Python objects" in str(caught.value)) == (kind == "object")


def test_a_cut_safetensors_file_is_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file({"a": torch.zeros(100)}, path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CheckpointError, match="cut off"):
        read_tensors(path)
