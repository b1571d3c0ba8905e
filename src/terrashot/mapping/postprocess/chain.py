"""Post-processing: an ordered list of rules."""

from collections.abc import Iterator, Sequence

from terrashot.errors import ConfigError
from terrashot.mapping.postprocess.block_map import BlockMap
from terrashot.mapping.postprocess.rule import Draft, Rule
from terrashot.taxonomy import Taxonomy


class PostProcess:
    """Rules that are applied to a class map one after the other.

    Args:
        rules: In the order of their application.

    Raises:
        ConfigError: there is none.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        if not rules:
            raise ConfigError(
                "postprocess.rules is empty; list at least one rule, or set postprocess=null."
            )
        self.rules = list(rules)

    @property
    def steps(self) -> list[str]:
        """A name for the map after each rule, no two alike."""
        names = [f"+ {rule.name}" for rule in self.rules]
        before = [names[:i].count(name) for i, name in enumerate(names)]
        return [f"{n} {i + 1}" if i else n for n, i in zip(names, before, strict=True)]

    @property
    def external_masks(self) -> bool:
        """Whether a rule brings in masks of another model."""
        return any(rule.external_masks for rule in self.rules)

    @property
    def needs_scores(self) -> bool:
        """Whether a rule asks for second-best classes."""
        return any(rule.needs_scores for rule in self.rules)

    def check(self, taxonomy: Taxonomy, tiles: Sequence[str] = (), scores: bool = True) -> None:
        """Find what can't work before a long run.

        Args:
            taxonomy: The classes of the map.
            tiles: Names of the tiles or scenes.
            scores: Whether probabilities will be at hand.

        Raises:
            ConfigError: a setting does not go with the classes or the kind of map.
            DataError: an external mask is missing.
        """
        for rule in self.rules:
            rule.check(taxonomy, tiles)
        if self.needs_scores and not scores:
            raise ConfigError(
                "postprocess: a rule has otherwise=second_best, but whole scenes keep only each "
                "pixel's best class. Write otherwise=neighbour or the name of a class."
            )

    def run(self, draft: Draft) -> Iterator[BlockMap]:
        """Apply the rules; yields the map after each."""
        for rule in self.rules:
            rule.apply(draft)
            yield draft.ids
