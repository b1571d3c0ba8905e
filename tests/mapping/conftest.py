"""Small adapted models of every kind of transition."""

import pytest
import torch

from terrashot.adaptation.head import AdaptedHead
from terrashot.adaptation.inference import Inference
from terrashot.adaptation.scaling import FeatureScale
from terrashot.adaptation.transition.full import FullTransition
from terrashot.adaptation.transition.none import NoTransition
from terrashot.adaptation.transition.rank_one import RankOneTransition
from terrashot.adaptation.transition.shared import SharedTransition
from terrashot.mapping.adapted_model import AdaptedModel
from terrashot.networks.build import build_segmenter
from terrashot.taxonomy import Taxonomy

TRANSITIONS = {
    "none": NoTransition(),
    "rank_one": RankOneTransition(),
    "shared": SharedTransition(normalise="columns"),
    "full": FullTransition(rank=2),
}


def row(name: str) -> dict[str, str]:
    return {"name": name, "color": "#12ab56"}


@pytest.fixture(scope="session")
def make_adapted():
    """A model with random weights, 3 base and 2 novel classes, as any method could have made it."""

    small_fpn = {"name": "fpn", "pyramid_channels": 16, "segmentation_channels": 32}

    def make(
        transition: str = "none",
        inference: Inference | None = None,
        decoder: dict = small_fpn,
        **options,
    ):
        torch.manual_seed(0)
        segmenter = build_segmenter(
            {
                "backbone": {"name": "mobilenetv2_050"},
                "decoder": decoder,
                "num_classes": 3,
            }
        )
        for name, buffer in segmenter.named_buffers():  # running statistics of a trained network
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 1.5)
        channels = segmenter.channels
        kind = TRANSITIONS[transition]
        parameters = {
            "base_weight": torch.randn(3, channels),
            "base_bias": torch.randn(3),
            "novel_weight": torch.randn(2, channels),
            "novel_bias": torch.randn(2),
            **{
                name: value.float() + 0.3 * torch.randn(value.shape)
                for name, value in kind.initial(3, 5, channels, torch.Generator()).items()
            },
        }
        scale = FeatureScale(torch.rand(channels) + 0.5, torch.randn(channels))
        head = AdaptedHead(parameters, kind, torch.randn(3, channels), scale)
        taxonomy = Taxonomy.from_dict(
            {
                "name": "test",
                "background": row("background"),
                "base": [row("tree"), row("road")],
                "novel": [row("car"), row("pool")],
            }
        )
        return AdaptedModel(segmenter, head, taxonomy, inference, **options)

    return make
