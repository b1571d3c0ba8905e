"""The head of contrastive pretraining: thrown away once the encoder is trained."""

from torch import Tensor, nn


class ProjectionHead(nn.Module):
    """Linear, ReLU, Linear, without batch norm, from encoder features to embeddings.

    Args:
        channels: of the encoder's features.
        hidden: width of the first layer; None: ``channels``.
        out: width of the embeddings.
        relu: false leaves the two layers linear, as the published FALSE ran: its configuration
            asks for the ReLU, but its building block leaves it out.
    """

    def __init__(
        self, channels: int, hidden: int | None = None, out: int = 128, relu: bool = True
    ) -> None:
        super().__init__()
        width = hidden or channels
        self.first = nn.Linear(channels, width)
        self.activation = nn.ReLU() if relu else nn.Identity()
        self.last = nn.Linear(width, out)

    def forward(self, features: Tensor) -> Tensor:
        """Embeddings [B, out] of pooled features [B, channels]."""
        return self.last(self.activation(self.first(features)))
