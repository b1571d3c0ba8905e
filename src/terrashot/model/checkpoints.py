"""Every checkpoint file that terrashot writes: one reader, one writer, one wording.

A file is a dictionary of ``state_dict`` (tensors by name) and a header of plain values under a key
of its kind. Checkpoints of a training hold what Lightning adds beside them. The published
checkpoint of ClassTrans is read as a stage-1 checkpoint (`classtrans_file`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from terrashot.errors import CheckpointError
from terrashot.model.classtrans_file import from_classtrans
from terrashot.networks import encoder_file
from terrashot.networks.checkpoint_file import read_content, write_content

FORMAT = 1


@dataclass(frozen=True)
class CheckpointKind:
    """One kind of file.

    Args:
        name: What it is called in messages.
        key: The header's key in the file.
        part: A key that every header of this kind has: two kinds share the key ``terrashot``.
        how: A sentence that says how to get such a file.
        prefix: Of the wanted tensors' names in ``state_dict``.
        resumable: Whether optimizer states stand beside the weights, which are then not read.
    """

    name: str
    key: str
    part: str
    how: str
    prefix: str = ""
    resumable: bool = False

    @property
    def a_name(self) -> str:
        """The name with its article."""
        return f"{'an' if self.name[0] in 'aeiou' else 'a'} {self.name}"

    def header(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The header of a new file: ``format``, ``kind``, and the given plain values."""
        return {"format": FORMAT, "kind": self.name, **values}

    def of(self, content: object) -> dict[str, Any] | None:
        """The header in a file's content; None where it is no file of this kind."""
        header = content.get(self.key) if isinstance(content, dict) else None
        return header if isinstance(header, dict) and self.part in header else None


STAGE1 = CheckpointKind(
    name="stage-1 checkpoint",
    key="terrashot",
    part="network",
    how=(
        "Give a file that `python run.py experiment=stage1` wrote, whole and untouched, or the "
        "published one of ClassTrans; plain encoder weights go to stage 1 as backbone.weights=PATH."
    ),
    prefix="segmenter.",
    resumable=True,
)
ADAPTED = CheckpointKind(
    name="adapted checkpoint",
    key="terrashot_adapted",
    part="transition",
    how=(
        "Adapt a stage-1 network with `python run.py experiment=adapt checkpoint=RUN_FOLDER` and "
        "give the adapted.ckpt that it writes, or its run folder."
    ),
)
ENCODER = CheckpointKind(
    name="encoder file",
    key=encoder_file.KEY,
    part="arch",
    how="Give it to stage 1 as backbone.weights=PATH.",
)
_KNOWN = (STAGE1, ADAPTED, ENCODER)


def read_checkpoint(path: Path, kind: CheckpointKind) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Header and tensors of a file, on the CPU; no code in it is run.

    Args:
        path: The file.
        kind: What is expected.

    Returns:
        The header, and the tensors whose names begin with the kind's prefix, without it.

    Raises:
        CheckpointError: missing, cut off, foreign, of another kind, or of a later format.
    """
    content = _content(path, kind.how, mmap=kind.resumable)
    header = kind.of(content)
    if header is None:
        raise CheckpointError(_other(path, content, kind))
    if header.get("format", FORMAT) != FORMAT:
        raise CheckpointError(
            f"{path} is {kind.a_name} of format {header['format']}, but this version reads format "
            f"{FORMAT}. Update terrashot. {kind.how}"
        )
    state = content.get("state_dict")
    if not isinstance(state, dict):
        raise CheckpointError(f"{path} is {kind.a_name} without its tensors. {kind.how}")
    return header, {
        name.removeprefix(kind.prefix): value
        for name, value in state.items()
        if name.startswith(kind.prefix)
    }


def write_checkpoint(
    path: Path, kind: CheckpointKind, header: Mapping[str, Any], state: Mapping[str, Tensor]
) -> None:
    """Write a file of this kind; it appears whole or not at all.

    Args:
        path: The file.
        kind: Its kind.
        header: Plain values beside ``format`` and ``kind``.
        state: The tensors by name; they are written as they lie on the CPU.
    """
    tensors = {kind.prefix + name: value.detach().cpu() for name, value in state.items()}
    write_content(path, {kind.key: kind.header(header), "state_dict": tensors})


def kind_of(path: Path, kinds: tuple[CheckpointKind, ...]) -> CheckpointKind:
    """Which of these kinds a file is.

    Raises:
        CheckpointError: none of them, or not readable.
    """
    content = _content(path, kinds[0].how, mmap=True)
    for kind in kinds:
        if kind.of(content) is not None:
            return kind
    raise CheckpointError(_other(path, content, kinds[0]))


def _content(path: Path, how: str, mmap: bool) -> Any:  # noqa: ANN401 - whatever stands there
    """What stands in a file; in the published one of ClassTrans, as terrashot would write it."""
    content = read_content(path, "checkpoint", how, mmap=mmap)
    published = from_classtrans(path, content)
    if published is None:
        return content
    header, state = published
    tensors = {STAGE1.prefix + name: value for name, value in state.items()}
    return {STAGE1.key: STAGE1.header(header), "state_dict": tensors}


def _other(path: Path, content: object, kind: CheckpointKind) -> str:
    """What a file is that is not of ``kind``."""
    for known in _KNOWN:
        if known != kind and known.of(content) is not None:
            how = kind.how.replace("RUN_FOLDER", str(path)) if known == STAGE1 else kind.how
            return f"{path} is {known.a_name}, not {kind.a_name}. {how}"
    keys = content if isinstance(content, dict) else ()
    if any(str(key).startswith("terrashot") for key in keys):
        return f"{path} is another checkpoint of terrashot, no {kind.name}. {kind.how}"
    return f"{path} is a PyTorch file, but no {kind.name}: it lacks its header. {kind.how}"
