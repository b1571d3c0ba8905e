"""Checkpoints that are written whole or not at all, and read without running code."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import CheckpointIO
from torch import Tensor

from terrashot.errors import CheckpointError
from terrashot.files import atomic_write
from terrashot.full_disk import is_full, room

_WRITER = ("PytorchStreamWriter", "inline_container", "file in archive")


class AtomicCheckpointIO(CheckpointIO):
    """Write beside, flush to the disk, rename; load plain values and tensors only.

    A kill at any moment leaves the checkpoint that stood there before. A full disk is a
    ``CheckpointError`` that says how much room is needed.
    """

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | Path,
        storage_options: Any | None = None,  # noqa: ANN401 - Lightning's interface
    ) -> None:
        """Write ``checkpoint`` to ``path``.

        Raises:
            CheckpointError: the disk is full, or the folder cannot be written.
        """
        path = Path(path)
        try:
            # An open file rather than a path: a writer that torch opened itself outlives the
            # error, and with it the room that the half-written file takes.
            with atomic_write(path) as temporary, temporary.open("wb") as file:
                torch.save(checkpoint, file)
        except OSError as error:
            if is_full(error):
                raise _full_disk(path, checkpoint) from error
            raise CheckpointError(
                f"{path}: the checkpoint cannot be written ({error.strerror or error}). Make the "
                "folder writable or choose another one with paths.run_folder=<folder>."
            ) from error
        except RuntimeError as error:
            # torch's zip writer reports a short write in words of its own, without an errno; it
            # may also meet the failure only while the archive is being closed.
            if not any(word in str(error) for word in _WRITER):
                raise
            raise _full_disk(path, checkpoint) from error

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Callable | str | torch.device | None = "cpu",
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Read a checkpoint, always with ``weights_only=True``, whatever is asked for.

        Raises:
            CheckpointError: there is no file, it is damaged, or it holds more than plain values.
        """
        path = Path(path)
        if not path.is_file():
            raise CheckpointError(
                f"{path}: there is no such checkpoint. Give the path of a .ckpt file that "
                "'python run.py experiment=stage1' wrote, or run that first."
            )
        try:
            value = torch.load(path, map_location=map_location, weights_only=True)
        except Exception as error:  # the unpickler meets foreign bytes with errors of any kind
            reason = next((line for line in str(error).splitlines() if line.strip()), "no content")
            raise CheckpointError(
                f"{path}: this file of {path.stat().st_size:,} bytes is no readable checkpoint "
                f"({type(error).__name__}: {reason[:160]}), but a file of tensors and plain "
                "values was expected. Copy it again, or take another checkpoint of the run."
            ) from error
        if not isinstance(value, dict):
            raise CheckpointError(
                f"{path}: this file holds a {type(value).__name__}, but a checkpoint of a "
                "training run (a dictionary) was expected; give a .ckpt file of 'stage1'."
            )
        return value

    def remove_checkpoint(self, path: str | Path) -> None:
        """Delete a checkpoint file, or the folder that a sharded strategy wrote."""
        path = Path(path)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _full_disk(path: Path, checkpoint: dict[str, Any]) -> CheckpointError:
    kept = "The older checkpoint of that name is untouched. " if path.exists() else ""
    return CheckpointError(
        f"{path}: the disk is full: {room(path, _bytes(checkpoint))}. {kept}Free some "
        "space, or choose another disk with paths.run_folder=<folder>, then continue with "
        "resume=<run folder>."
    )


def _bytes(value: Any) -> int:  # noqa: ANN401 - any part of a checkpoint
    """Bytes of all tensors inside; views of one storage count once."""
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in _all(value)}
    return sum(storages.values())


def _all(value: Any) -> Iterator[Tensor]:  # noqa: ANN401 - any part of a checkpoint
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _all(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _all(part)
