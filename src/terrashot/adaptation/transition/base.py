"""The interface of a transition."""

from typing import Protocol

import torch
from torch import Tensor


class Transition(Protocol):
    """Adds logits to the classifier's, from linear maps of the features and the snapshot's scores.

    The maps are evaluated together with the classifier in one matrix product, so a transition
    only says which maps it needs, what it makes of their values, and the gradient of that.

    Parameters, maps and gradients may have leading dimensions ``[Q, ...]``, one entry a query;
    the snapshot's scores have the same, or none where all queries share them.
    """

    def initial(
        self,
        num_base: int,
        num_classes: int,
        channels: int,
        generator: torch.Generator,
        similarity: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Parameters before the first iteration: float64, on the CPU.

        Args:
            num_base: Base classes B, background included.
            num_classes: All classes K.
            channels: Channels C of a feature.
            generator: All random draws come from it.
            similarity: How much each novel class resembles each base class ``[B, K - B]``, columns
                summing to 1; for transitions that start from it.
        """
        ...

    def map_rows(self, num_base: int, num_classes: int) -> dict[str, int]:
        """Number of rows of each linear map by name, in the order in which they are stacked.

        The parameters of a map are ``<name>_weight`` ``[..., rows, C]`` and ``<name>_bias``
        ``[..., rows]``.
        """
        ...

    def maps(self, parameters: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """All maps stacked: weight ``[..., M, C]`` and bias ``[..., M]``."""
        base, novel = parameters["base_bias"], parameters["novel_bias"]
        names = self.map_rows(base.shape[-1], base.shape[-1] + novel.shape[-1])
        if not names:
            return parameters["base_weight"][..., :0, :], base[..., :0]
        weights = [parameters[f"{name}_weight"] for name in names]
        biases = [parameters[f"{name}_bias"] for name in names]
        return torch.cat(weights, dim=-2), torch.cat(biases, dim=-1)

    def logits(
        self, parameters: dict[str, Tensor], maps: Tensor, snapshot_scores: Tensor
    ) -> Tensor:
        """Transition logits ``[..., K, P]`` (or a 0 that broadcasts).

        Args:
            parameters: What stage 2 trains.
            maps: Values of the maps at the pixels ``[..., M, P]``.
            snapshot_scores: ``S x`` of the frozen head, without its bias ``[..., B, P]``.
        """
        ...

    def backward(
        self,
        parameters: dict[str, Tensor],
        maps: Tensor,
        snapshot_scores: Tensor,
        gradient: Tensor,
        out: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The analytic gradient of a loss; the inputs stay as they are.

        Args:
            parameters: As for ``logits``.
            maps: As for ``logits``.
            snapshot_scores: As for ``logits``.
            gradient: Of the loss by the transition logits ``[..., K, P]``.
            out: Where the gradient by the maps is to be written, ``[..., M, P]``; so that it can
                lie beside ``gradient`` for one matrix product with the features.

        Returns:
            The gradient by the maps ``[..., M, P]``, and by name the gradient, summed over the
            pixels, by each parameter that belongs to no map.
        """
        ...


def empty_maps(like: Tensor, rows: int, out: Tensor | None) -> Tensor:
    """``out``, or new memory for ``rows`` maps at the pixels of ``like [..., K, P]``."""
    if out is not None:
        return out
    return like.new_empty((*like.shape[:-2], rows, like.shape[-1]))


def to_novel(similarity: Tensor | None, num_base: int, num_novel: int) -> Tensor:
    """Rows of the novel classes ``[novel, base]``, float64; uniform where there is no similarity.

    Raises:
        ValueError: the similarity is of another shape.
    """
    if similarity is None:
        return torch.full((num_novel, num_base), 1 / num_base, dtype=torch.float64)
    if tuple(similarity.shape) != (num_base, num_novel):
        raise ValueError(
            f"the similarity has shape {tuple(similarity.shape)}, but there are {num_base} base "
            f"and {num_novel} novel classes: expected [base, novel]"
        )
    return similarity.detach().to("cpu", torch.float64).T
