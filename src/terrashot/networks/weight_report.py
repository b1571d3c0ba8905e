"""What became of the weights of a backbone."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class WeightReport:
    """Where an encoder's weights came from and how many there were.

    Attributes:
        source: a file, a tag with its library, or ``random weights``.
        matched: tensors of the encoder that were loaded.
        total: tensors of the encoder.
        missing: tensors of the encoder that kept their start values.
        unexpected: tensors of the source that are no part of the encoder (classifier, text tower).
        adapted: what was done to tensors: to the first convolution for other bands than colours, to
            position embeddings for another grid.
    """

    source: str
    matched: int
    total: int
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    adapted: str | None = None

    def summary(self, what: str = "backbone") -> str:
        """One line for the terminal.

        Args:
            what: The encoder.
        """
        if self.matched == 0:
            return f"{what}: {self.source}, {self.total} tensors"
        line = f"{what}: {self.matched} of {self.total} tensors from {self.source}"
        if self.missing:
            line += f"; kept at their start: {shorten(self.missing)}"
        if self.unexpected:
            line += f"; not part of the encoder: {shorten(self.unexpected)}"
        return f"{line}; {self.adapted}" if self.adapted else line


def shorten(names: list[str], show: int = 3) -> str:
    """The first names and how many more there are."""
    more = f" and {len(names) - show} more" if len(names) > show else ""
    return ", ".join(names[:show]) + more
