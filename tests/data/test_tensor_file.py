"""The format is the one that the package safetensors reads and writes."""

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from terrashot.data.tensor_file import read_tensors, tensor_parts

NOTES = {"seconds": "0.25", "image": 'a "quoted" näme'}


def tensors():
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randn((3, 5, 7), generator=generator)
    return {"map_0": numbers, "content": torch.arange(11, dtype=torch.uint8)}


def same(one, other):
    return one.keys() == other.keys() and all(
        torch.equal(one[n], other[n]) and one[n].dtype == other[n].dtype for n in one
    )


def write(path, values):
    path.write_bytes(b"".join(tensor_parts(values, NOTES)))


def test_what_is_written_the_package_reads(tmp_path):
    write(tmp_path / "a", tensors())
    with safe_open(tmp_path / "a", framework="pt") as file:
        found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        assert file.metadata() == NOTES
    assert same(found, tensors())


def test_what_the_package_writes_is_read(tmp_path):
    save_file(tensors(), tmp_path / "a", metadata=NOTES)
    found, notes = read_tensors(tmp_path / "a")
    assert same(found, tensors())
    assert notes == NOTES


def test_parts_share_the_memory_of_the_tensors():
    values = tensors()
    parts = tensor_parts(values, NOTES)
    values["map_0"].zero_()
    assert not any(parts[1])


@pytest.mark.parametrize("length", [0, 5, 8, 40, -1])
def test_a_file_that_is_cut_off_is_damaged_and_nothing_else(tmp_path, length):
    write(tmp_path / "a", tensors())
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes()[:length])
    with pytest.raises((ValueError, KeyError, TypeError)):
        read_tensors(tmp_path / "a")


def test_any_flipped_byte_of_the_header_gives_no_other_error(tmp_path):
    write(tmp_path / "a", tensors())
    content = (tmp_path / "a").read_bytes()
    for at in range(0, 8 + int.from_bytes(content[:8], "little"), 3):
        damaged = bytearray(content)
        damaged[at] ^= 21
        (tmp_path / "a").write_bytes(damaged)
        try:
            read_tensors(tmp_path / "a")
        except (ValueError, KeyError, TypeError):
            continue
