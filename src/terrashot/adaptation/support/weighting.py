"""How far the pixels of doubtful support masks are trusted."""

from typing import Protocol

from terrashot.adaptation.support.pixels import SupportPixels


class SupportWeighting(Protocol):
    """Gives support pixels weights; label 0 and pixels a method labelled itself have none."""

    def weigh(self, support: SupportPixels, seed: int) -> SupportPixels:
        """The same support with weights on the pixels of novel masks."""
        ...
