"""A network that has learned its novel classes: images in, probabilities of all classes out."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from terrashot.adaptation.batched_head import BatchedHead
from terrashot.adaptation.head import AdaptedHead
from terrashot.adaptation.inference import Inference, smooth
from terrashot.adaptation.temperature import Calibration
from terrashot.adaptation.transition.describe import describe_transition
from terrashot.image_spec import ImageSpec
from terrashot.networks.segmenter import Segmenter
from terrashot.networks.upsampling import upsample
from terrashot.taxonomy import Taxonomy


class AdaptedModel(nn.Module):
    """The frozen stage-1 network with a head for base and novel classes.

    Needs no support set. One call maps an image as it is; the views that ``inference`` asks for
    are mirrored, and averaged, by the caller, who may share them over a batch.

    Args:
        segmenter: The stage-1 network.
        head: What a stage-2 method made of its head.
        taxonomy: All classes, novel ones included.
        inference: How the method makes maps: smoothing is done here, flips are the caller's.
        align_corners: Of the upsampling of probabilities; None: as stage 1 upsampled its logits.
        provenance: Plain values: where network, support and method came from.
        calibration: What makes its probabilities as sure as they are right.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        head: AdaptedHead,
        taxonomy: Taxonomy,
        inference: Inference | None = None,
        align_corners: bool | None = None,
        provenance: Mapping[str, Any] | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        super().__init__()
        self.segmenter = segmenter
        self.head = BatchedHead(head)
        self.taxonomy = taxonomy
        self.inference = inference or Inference()
        self.align_corners = segmenter.align_corners if align_corners is None else align_corners
        self.provenance = dict(provenance or {})
        self.calibration = calibration or Calibration()
        if self.head.num_classes != taxonomy.num_classes:
            raise ValueError(
                f"the head has {self.head.num_classes} classes, the taxonomy {taxonomy.num_classes}"
            )
        self.eval().requires_grad_(False)

    @property
    def stride(self) -> int:
        """Image pixels a feature covers in each direction."""
        return self.segmenter.stride

    @property
    def spec(self) -> ImageSpec:
        """The channels of the images that it takes."""
        return self.segmenter.spec

    @property
    def num_classes(self) -> int:
        """All classes, background included."""
        return self.head.num_classes

    @property
    def description(self) -> dict[str, Any]:
        """Plain values that rebuild the model around its tensors."""
        how = self.inference
        return {
            "network": self.segmenter.description,
            "taxonomy": self.taxonomy.to_dict(),
            "transition": describe_transition(self.head.transition),
            "inference": {"flips": how.flips, "smoothing": how.smoothing, "window": how.window},
            "align_corners": self.align_corners,
            "stride": self.stride,
            "calibration": self.calibration.to_dict(),
            "provenance": self.provenance,
        }

    def forward(self, image: Tensor) -> Tensor:
        """Probabilities ``[B, K, H, W]``, float32, of images ``[B, 3, H, W]`` in 0..1.

        The numbers of ``Inference.predict_map`` without flips: softmax at feature resolution,
        smoothing, bilinear upsampling. Not yet calibrated: that comes after the mean over views
        and windows, which the caller forms. Under autocast the network runs in half precision, the
        head never does.
        """
        maps = [each.float() for each in self.segmenter.maps(image)]
        size = (image.shape[-2], image.shape[-1])
        # Looked at first, since an exported program holds no autocast.
        if torch.is_autocast_enabled(image.device.type):
            with torch.autocast(image.device.type, enabled=False):
                return self.from_maps(maps, size)
        return self.from_maps(maps, size)

    def from_maps(self, maps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Probabilities ``[B, K, H, W]``, float32, of images of a size.

        Args:
            maps: Float32, what ``Segmenter.maps`` gives, or the features joined from it.
            size: Height and width.
        """
        height, width = (-(-side // self.stride) for side in size)
        logits = self.head(*maps)[..., :height, :width].float()
        how = self.inference
        probabilities = smooth(logits.softmax(dim=1), how.smoothing, how.window)
        return upsample(probabilities, size, self.stride, self.align_corners)
