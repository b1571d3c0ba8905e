"""Post-processing: rules in their order."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from terrashot.errors import ConfigError
from terrashot.mapping.postprocess.block_map import BlockMap
from terrashot.mapping.postprocess.rule import Draft, ReadsMasks, Rule
from terrashot.taxonomy import Taxonomy


class PostProcess:
    """Rules that are applied to a class map one after the other.

    Args:
        rules: By a name for tables, in the order of their application.

    Raises:
        ConfigError: there is none.
    """

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        if not rules:
            raise ConfigError(
                "postprocess.rules is empty; list at least one rule, or set postprocess=null."
            )
        self.rules = dict(rules)

    @property
    def external_masks(self) -> bool:
        """Whether a rule brings in masks of another model."""
        return any(rule.external_masks for rule in self.rules.values())

    @property
    def needs_scores(self) -> bool:
        """Whether a rule asks for second-best classes."""
        return any(rule.needs_scores for rule in self.rules.values())

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
        for rule in self.rules.values():
            rule.check(taxonomy, tiles)
        if self.needs_scores and not scores:
            raise ConfigError(
                "postprocess: a rule has otherwise=second_best, but whole scenes keep only each "
                "pixel's best class. Write otherwise=neighbour or the name of a class."
            )

    def masks(self, tiles: Sequence[str]) -> list[Path]:
        """The files that the rules read for these tiles or scenes."""
        rules = self.rules.values()
        return [f for rule in rules if isinstance(rule, ReadsMasks) for f in rule.masks(tiles)]

    def run(self, draft: Draft) -> Iterator[BlockMap]:
        """Apply the rules; yields the map after each."""
        for rule in self.rules.values():
            rule.apply(draft)
            yield draft.ids
