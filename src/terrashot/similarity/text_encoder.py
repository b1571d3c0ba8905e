"""Phrases through the text encoder of a CLIP model."""

import difflib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from terrashot.errors import CheckpointError, ConfigError


def is_weight_file(weights: str) -> bool:
    """Whether ``weights`` is meant as a path and not as a tag."""
    path = Path(weights).expanduser()
    return (
        path.is_file() or "/" in weights or path.suffix in {".pt", ".pth", ".bin", ".safetensors"}
    )


def check_names(model: str, weights: str) -> None:
    """Refuse names that open_clip does not know.

    Raises:
        ConfigError: no such model, or no such tag of it.
    """
    import open_clip  # late, as below: every stage-2 run imports this module

    models = open_clip.list_models()
    if model not in models:
        close = difflib.get_close_matches(str(model), models, n=3) or ["ViT-B-32"]
        raise ConfigError(
            f"similarity.model is '{model}', which is no open_clip model. "
            f"Did you mean {' or '.join(close)}?"
        )
    tags = open_clip.list_pretrained_tags_by_model(model)
    if not isinstance(weights, str) or not (is_weight_file(weights) or weights in tags):
        raise ConfigError(
            f"similarity.weights is '{weights}', which is neither a file nor weights of open_clip "
            f"model {model}, which are: {', '.join(tags) or 'none'}. Use one of these or a path."
        )


@torch.no_grad()
def embed(
    phrases: list[str], templates: list[str], model: str, weights: str, kept_in: Path
) -> Tensor:
    """Embeddings of phrases: the mean over the templates, as in CLIP's zero-shot classifier.

    Source: Radford et al., "Learning Transferable Visual Models From Natural Language
    Supervision", ICML 2021, section 3.1.4.

    Args:
        phrases: What is to be embedded.
        templates: Sentences with a ``{}`` for the phrase.
        model: open_clip's name of the model.
        weights: Tag to download, or path of a file.
        kept_in: File that the caller will keep the outcome in, for the message.

    Returns:
        Unit vectors ``[phrases, D]``, float32, on the CPU.

    Raises:
        CheckpointError: the weights can neither be downloaded nor read.
    """
    encoder, tokenizer = _load(model, weights, kept_in)
    rows = []
    for phrase in phrases:
        tokens = tokenizer([template.replace("{}", phrase) for template in templates])
        vectors = functional.normalize(encoder.encode_text(tokens).float(), dim=1)
        rows.append(functional.normalize(vectors.mean(dim=0), dim=0))
    return torch.stack(rows)


def _load(model: str, weights: str, kept_in: Path) -> tuple[Any, Any]:
    """The model and its tokenizer."""
    import open_clip

    source = str(Path(weights).expanduser()) if is_weight_file(weights) else weights
    try:
        with _quiet():
            encoder = open_clip.create_model(model, pretrained=source)
            tokenizer = open_clip.get_tokenizer(model)
    except Exception as error:  # each of open_clip's routes fails with errors of its own
        lines = str(error).strip().splitlines() or [""]
        if is_weight_file(weights):
            what = "do not exist" if not Path(source).is_file() else "cannot be loaded"
            way = f"Give an open_clip weight file of {model}"
        else:
            what = "are not on this machine and could not be downloaded"
            way = "Connect this machine to the internet, or give a weight file"
        raise CheckpointError(
            f"similarity clip_text: the weights {weights} of open_clip model {model} {what} "
            f"({type(error).__name__}: {lines[0][:200].rstrip('.')}), and no embeddings of these "
            f"class names are kept in {kept_in}. {way} with similarity.weights=PATH, or copy that "
            "file from a machine on which the same settings have run, to the folder "
            "similarity.cache."
        ) from error
    return encoder.eval(), tokenizer


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep open_clip, which logs its progress as warnings and errors, silent."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)
