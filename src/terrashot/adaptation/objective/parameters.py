"""Everything that stage 2 trains, as one flat vector with named views."""

import math

import torch
from torch import Tensor

from terrashot.adaptation.objective.pixel_logits import Parameters
from terrashot.adaptation.transition.base import Transition


class ParameterLayout:
    """Where each parameter lies in a flat vector ``[D]``.

    All linear maps of the features (base head, novel head, maps of the transition) lie one after
    the other, so that their weights are one matrix ``[R, C]`` without a copy; then their biases,
    then what else the transition trains. Vectors of several queries are stacked to ``[Q, D]``.

    Args:
        parameters: One value of each parameter, for names and shapes.
        transition: Says which of them are maps.
        num_base: Base classes, background included.
        num_novel: Novel classes.
    """

    def __init__(
        self, parameters: Parameters, transition: Transition, num_base: int, num_novel: int
    ) -> None:
        rows = {"base": num_base, "novel": num_novel}
        rows |= transition.map_rows(num_base, num_base + num_novel)
        self.num_base = num_base
        self.num_classes = num_base + num_novel
        self.rows = sum(rows.values())
        self.channels = parameters["base_weight"].shape[1]
        names = [f"{map_}_weight" for map_ in rows] + [f"{map_}_bias" for map_ in rows]
        self.other_names = [name for name in parameters if name not in names]
        self.shapes = {name: tuple(parameters[name].shape) for name in [*names, *self.other_names]}
        self.size = sum(math.prod(shape) for shape in self.shapes.values())

    def pack(self, parameters: Parameters, like: Tensor) -> Tensor:
        """Named parameters to a vector ``[D]`` in the dtype and on the device of ``like``."""
        return torch.cat([parameters[name].to(like).flatten() for name in self.shapes])

    def unpack(self, vector: Tensor) -> Parameters:
        """Views ``[..., *shape]`` of a vector ``[..., D]`` by name."""
        views, begin = {}, 0
        for name, shape in self.shapes.items():
            size = math.prod(shape)
            views[name] = vector[..., begin : begin + size].unflatten(-1, shape)
            begin += size
        return views

    def weights(self, vector: Tensor) -> Tensor:
        """View of all maps' weights ``[..., R, C]``."""
        part = vector[..., : self.rows * self.channels]
        return part.unflatten(-1, (self.rows, self.channels))

    def biases(self, vector: Tensor) -> Tensor:
        """View of all maps' biases ``[..., R]``."""
        begin = self.rows * self.channels
        return vector[..., begin : begin + self.rows]

    def others(self, vector: Tensor) -> Parameters:
        """Views of what the transition trains besides maps, by name."""
        views, begin = {}, self.rows * (self.channels + 1)
        for name in self.other_names:
            shape = self.shapes[name]
            size = math.prod(shape)
            views[name] = vector[..., begin : begin + size].unflatten(-1, shape)
            begin += size
        return views
