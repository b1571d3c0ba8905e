"""Post-processing: rules in their order."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from terrashot.errors import ConfigError
from terrashot.mapping.postprocess.block_map import BlockMap
from terrashot.mapping.postprocess.rule import Draft, LooksBack, ReadsMasks, Rule, Size
from terrashot.taxonomy import Taxonomy

_NO_TILES: Mapping[str, Sequence[Size]] = MappingProxyType({})


class PostProcess:
    """Rules that are applied to a class map one after the other.

    Args:
        rules: By a name for tables, in the order of their application.

    Raises:
        ConfigError: there is none, or one looks back to a rule that does not come before it.
    """

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        if not rules:
            raise ConfigError(
                "postprocess.rules is empty; list at least one rule, or set postprocess=null."
            )
        self.rules = dict(rules)
        names = list(rules)
        self._wanted = {r.before for r in rules.values() if isinstance(r, LooksBack)}
        for number, rule in enumerate(rules.values()):
            if isinstance(rule, LooksBack) and rule.before not in names[:number]:
                earlier = ", ".join(names[:number]) or "none"
                raise ConfigError(
                    f"postprocess.rules.{names[number]}.before is '{rule.before}', but it must "
                    f"name a rule that comes before '{names[number]}': {earlier}."
                )

    @property
    def external_masks(self) -> bool:
        """Whether a rule brings in masks of another model."""
        return any(rule.external_masks for rule in self.rules.values())

    @property
    def needs_scores(self) -> bool:
        """Whether a rule asks for second-best classes."""
        return any(rule.needs_scores for rule in self.rules.values())

    def check(
        self,
        taxonomy: Taxonomy,
        tiles: Mapping[str, Sequence[Size]] = _NO_TILES,
        scores: bool = True,
    ) -> None:
        """Find what can't work before a long run.

        Args:
            taxonomy: The classes of the map.
            tiles: Names of the tiles or scenes, with the sizes that a mask may have.
            scores: Whether probabilities will be at hand.

        Raises:
            ConfigError: a setting does not go with the classes or the kind of map.
            DataError: an external mask is missing, damaged or of another size.
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
        for name, rule in self.rules.items():
            if name in self._wanted:
                draft.before[name] = draft.ids
            rule.apply(draft)
            yield draft.ids
