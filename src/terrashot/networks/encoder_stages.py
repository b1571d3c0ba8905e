"""The encoder's stages beside the decoder's map: more to tell new classes apart by."""

from torch import Tensor, nn
from torch.nn import functional as F

from terrashot.networks.features import DECODER, STAGES
from terrashot.networks.segmenter import Segmenter
from terrashot.networks.widening import check_coarse, widened


class StagesBeside(nn.Module):
    """A decoder that gives the maps of all encoder stages beside its own.

    A decoder keeps what tells the base classes apart. What tells a new class apart may have been
    there in the encoder, whose stages nobody has asked for it. Of a plain vision transformer that
    is the map of its tokens: what a pyramid makes of them is the decoder's own.

    Args:
        decoder: Takes the encoder's maps, the image first, and returns one map.
    """

    def __init__(self, decoder: nn.Module) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Maps ``[B, C_i, h_i, w_i]`` of the stages to the decoder's and theirs.

        Finer stages are averaged to the decoder's stride; coarser ones come as they are, which
        takes a fraction of the room.
        """
        own = self.decoder(maps)
        stages = [stage for stage in maps[1:] if stage.shape[1]]
        return [own, *(averaged(stage, own.shape[-2]) for stage in stages)]


def with_encoder_stages(segmenter: Segmenter) -> Segmenter:
    """The same network with the encoder's stages in its features.

    Its head has weights of 0 for them, so its logits are those of the network as it was trained.
    Encoder and decoder are shared with it.

    Args:
        segmenter: A trained network.

    Raises:
        ConfigError: its features are so fine that the stages would not fit into memory.
    """
    assert segmenter.second is None  # whose maps come last
    key = "adaptation.features="
    check_coarse(segmenter, key + STAGES, "the encoder's stages", key + DECODER)
    return widened(
        segmenter,
        sum(segmenter.encoder.out_channels[1:]),
        StagesBeside(segmenter.decoder),
        None,
        {"features": STAGES},
    )


def averaged(stage: Tensor, height: int) -> Tensor:
    """Bring a stage's map to a height where it is finer; both cover the padded image."""
    factor = max(1, stage.shape[-2] // height)
    return F.avg_pool2d(stage, factor) if factor > 1 else stage
