"""Similarity from the names of the classes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from terrashot.errors import ConfigError
from terrashot.similarity.class_phrases import class_phrases
from terrashot.similarity.estimator import FeatureBank, as_shares, cosine
from terrashot.similarity.options import checked_temperature
from terrashot.similarity.text_cache import TextCache, default_cache
from terrashot.similarity.text_encoder import check_names, embed

TEMPLATES = (
    "a satellite image of {}",
    "a satellite photo of {}",
    "an aerial image of {}",
    "an aerial photo of {}",
    "an overhead view of {}",
    "{} seen from above",
)


class ClipText:
    """Softmax over base classes of the cosine between text embeddings of the class names.

    No pixel has a say, so the matrix is the same for every support set and feature scale.

    Args:
        model: open_clip's name of the model.
        weights: Tag to download, or path of an open_clip weight file.
        templates: Sentences with a ``{}`` for the class; None for those of aerial imagery.
        phrases: What a class is called in the sentences, by its name; null leaves a base class
            out. Other names are made readable, see ``class_phrase``.
        temperature: The cosines are divided by it.
        centre: Take the mean over the classes off the embeddings first: what all sentences share
            makes every cosine large.
        cache: Folder of kept embeddings; None for the user's cache folder.

    Raises:
        ConfigError: an unknown model or tag, a template without ``{}``, a bad temperature.
    """

    def __init__(
        self,
        model: str = "ViT-B-32",
        weights: str = "laion2b_s34b_b79k",
        templates: Sequence[str] | None = None,
        phrases: Mapping[str, str | None] | None = None,
        temperature: float = 0.1,
        centre: bool = True,
        cache: str | None = None,
    ) -> None:
        check_names(model, weights)
        self.model = model
        self.weights = weights
        self.templates = _checked_templates(TEMPLATES if templates is None else templates)
        self.phrases = dict(phrases or {})
        self.temperature = checked_temperature(temperature)
        self.centre = centre
        self.cache = TextCache(
            Path(cache).expanduser() if cache else default_cache(), model, weights, self.templates
        )
        self.all_pixels = False

    def estimate(self, base: FeatureBank, novel: FeatureBank) -> Tensor:
        """Similarity ``[base, novel]``, float64, each column summing to 1.

        Raises:
            ConfigError: the banks hold no names, or ``phrases`` leaves out what is needed.
            CheckpointError: the embeddings are not kept and the model's weights not to be had.
        """
        known, texts = self._base_texts(base)
        novel_texts = self._novel_texts(novel)
        vectors = self.embeddings([*texts, *novel_texts]).to(base.sums.device, torch.float64)
        if self.centre:
            vectors = vectors - vectors.mean(dim=0)
        scores = cosine(vectors[: len(texts)], vectors[len(texts) :]) / self.temperature
        return as_shares(scores, torch.tensor(known, device=scores.device))

    def embeddings(self, phrases: list[str]) -> Tensor:
        """Unit vectors ``[phrases, D]``, from the cache where they are kept."""
        different = list(dict.fromkeys(phrases))
        vectors = self.cache.load(different)
        if vectors is None:
            kept_in = self.cache.path(different)
            vectors = embed(different, self.templates, self.model, self.weights, kept_in)
            self.cache.save(different, vectors)
        return vectors[[different.index(phrase) for phrase in phrases]]

    def _base_texts(self, base: FeatureBank) -> tuple[list[bool], list[str]]:
        """Which base classes take part, and their phrases."""
        texts = class_phrases(_names(base, "base"), self.phrases)
        kept = [text for text in texts if text is not None]
        if not kept:
            raise ConfigError(
                "similarity.phrases leaves out every base class (null), but at least one must "
                "keep a phrase to compare the novel classes with."
            )
        return [text is not None for text in texts], kept

    def _novel_texts(self, novel: FeatureBank) -> list[str]:
        names = _names(novel, "novel")
        texts = class_phrases(names, self.phrases)
        for name, text in zip(names, texts, strict=True):
            if text is None:
                raise ConfigError(
                    f"similarity.phrases leaves out '{name}' (null), which is a novel class; only "
                    "base classes can be left out. Give it a phrase."
                )
        return [text for text in texts if text is not None]


def _names(bank: FeatureBank, kind: str) -> list[str]:
    if bank.names is None or len(bank.names) != len(bank.counts):
        found = "no names" if bank.names is None else f"{len(bank.names)} names"
        raise ConfigError(
            f"similarity=clip_text compares the names of classes, but there are {found} for the "
            f"{len(bank.counts)} {kind} classes of the support. Build the support with "
            "class_names, or choose similarity=prototype_cosine."
        )
    return bank.names


def _checked_templates(templates: Sequence[str]) -> list[str]:
    if isinstance(templates, str) or not templates or any("{}" not in t for t in templates):
        raise ConfigError(
            f"similarity.templates is {templates!r}, but it must be a list of at least one "
            "sentence, each with {} where the class goes, for example ['an aerial photo of {}']."
        )
    return [str(template) for template in templates]
