"""Text embeddings kept in a file, so that the text encoder is needed only once."""

import hashlib
import json
import os
import warnings
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as bytes_of
from torch import Tensor

from terrashot.files import atomic_write
from terrashot.full_disk import why


def default_cache() -> Path:
    """The user's cache folder for terrashot's text embeddings."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "terrashot" / "text"


class TextCache:
    """One file for each set of model, weights, templates and phrases.

    Args:
        folder: Where the files lie.
        model: Name of the text encoder.
        weights: Tag or path of its weights.
        templates: Sentences that the phrases are put into.
    """

    def __init__(self, folder: Path, model: str, weights: str, templates: list[str]) -> None:
        self.folder = folder
        self.model = model
        self.weights = weights
        self.templates = templates

    def path(self, phrases: list[str]) -> Path:
        """The file of these phrases, whatever their order."""
        described = json.dumps([self.model, self.weights, self.templates, sorted(set(phrases))])
        key = hashlib.sha256(described.encode()).hexdigest()[:16]
        return self.folder / f"{self.model.replace('/', '-')}_{key}.safetensors"

    def load(self, phrases: list[str]) -> Tensor | None:
        """Embeddings ``[phrases, D]``, or None where there is no whole file that still holds."""
        path = self.path(phrases)
        try:
            with safe_open(path, framework="pt") as file:
                about = file.metadata() or {}
                found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (FileNotFoundError, SafetensorError, OSError):
            return None
        # A weight file that has gone is no reason to distrust what was made from it.
        stamp = self._stamp()
        if stamp is not None and about.get("stamp") != stamp:
            return None
        if any(phrase not in found for phrase in phrases):
            return None
        return torch.stack([found[phrase] for phrase in phrases])

    def save(self, phrases: list[str], embeddings: Tensor) -> None:
        """Keep the embeddings ``[phrases, D]``; a disk that takes no more is told, not an error."""
        about = {
            "model": self.model,
            "weights": self.weights,
            "templates": json.dumps(self.templates),
            "stamp": self._stamp() or "",
        }
        rows = {p: row.clone() for p, row in zip(phrases, embeddings.cpu(), strict=True)}
        try:
            with atomic_write(self.path(phrases)) as temporary:
                temporary.write_bytes(bytes_of(rows, metadata=about))
        except OSError as error:
            warnings.warn(
                f"{self.folder}: text embeddings could not be kept there ({why(error)}); the run "
                "goes on, and the next one computes them again. Make room, or name another folder "
                "with similarity.cache=<folder>.",
                stacklevel=2,
            )

    def _stamp(self) -> str | None:
        """Size and time of the weight file; None where the weights are no file."""
        path = Path(self.weights).expanduser()
        if not path.is_file():
            return None
        status = path.stat()
        return f"{status.st_size} {status.st_mtime_ns}"
