"""What a sweep says about its options: means over repeats, and paired differences."""

import math
import statistics
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Outcome:
    """One finished job.

    Args:
        options: the choice for each key that is compared, in the order of the keys.
        repeat: what the job repeats with: support draw, seed. Jobs of two options with the same
            repeat are a pair.
        scores: numbers by name, from 0 to 1.
        seconds: what a query took; nan where there are no queries.
        external_masks: whether masks of another model were pasted into the maps.
        seen_queries: whether query tiles were support tiles too.
    """

    options: tuple[str, ...]
    repeat: tuple[str, ...]
    scores: dict[str, float]
    seconds: float = math.nan
    external_masks: bool = False
    seen_queries: bool = False


@dataclass(frozen=True)
class Spread:
    """A mean, its standard deviation over the repeats (nan for a single one) and their number."""

    mean: float = math.nan
    deviation: float = math.nan
    count: int = 0

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of the values that are numbers."""
        known = [value for value in values if not math.isnan(value)]
        if not known:
            return cls()
        deviation = statistics.stdev(known) if len(known) > 1 else math.nan
        return cls(statistics.fmean(known), deviation, len(known))


@dataclass(frozen=True)
class AblationRow:
    """One option of a sweep.

    Args:
        options: the choice for each key that is compared.
        count: finished jobs.
        scores: mean and spread of each score.
        difference: of the main score to the reference option, over the pairs of the same draw and
            seed; None for the reference itself.
        seconds: mean time of a query.
        external_masks: whether masks of another model were pasted into the maps of a job.
        seen_queries: whether query tiles of a job were support tiles too.
    """

    options: tuple[str, ...]
    count: int
    scores: dict[str, Spread] = field(default_factory=dict)
    difference: Spread | None = None
    seconds: float = math.nan
    external_masks: bool = False
    seen_queries: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        """The options as tables show them: results of another kind never pass for plain ones.

        Empty where a sweep repeats one and the same run with other seeds.
        """
        if not self.options:
            return ()
        first, *rest = self.options
        marks = ["external masks"] if self.external_masks else []
        marks += ["seen queries"] if self.seen_queries else []
        return (f"{first} ({', '.join(marks)})" if marks else first, *rest)


def ablation_rows(
    outcomes: Sequence[Outcome],
    options: Sequence[tuple[str, ...]],
    main: str,
    context: Collection[int] = (),
) -> list[AblationRow]:
    """Average over the repeats and compare with the first option.

    The spread of the draws is common to all options, so it says little about their difference;
    pairs of the same draw and seed do.

    Args:
        outcomes: the finished jobs.
        options: the options in the order of the sweep; the first one is the reference.
        main: the score that is compared.
        context: positions in an option of choices that nothing is compared across, such as the
            split; each combination of them has a reference of its own.

    Returns:
        A row an option, in that order; an option without a finished job has a count of 0.
    """
    references: dict[tuple[str, ...], tuple[str, ...]] = {}
    rows = []
    for option in options:
        reference = references.setdefault(tuple(option[i] for i in context), option)
        own = [outcome for outcome in outcomes if outcome.options == option]
        names = list(dict.fromkeys(name for outcome in own for name in outcome.scores))
        pairs = _differences(outcomes, own, reference, main)
        rows.append(
            AblationRow(
                option,
                len(own),
                {name: Spread.of([o.scores.get(name, math.nan) for o in own]) for name in names},
                None if reference == option else Spread.of(pairs),
                Spread.of([o.seconds for o in own]).mean,
                any(o.external_masks for o in own),
                any(o.seen_queries for o in own),
            )
        )
    return rows


def mean_rows(rows: Sequence[AblationRow], positions: Collection[int]) -> list[AblationRow]:
    """Means over rows that differ in these choices alone, such as the folds of a benchmark.

    A fold counts once, however many runs it has; the spread is that of the folds. No row where
    there is nothing to take a mean of, or where a fold has no result: its mean would be another.

    Args:
        rows: an option each.
        positions: of the choices in an option that means are taken over.
    """
    groups: dict[tuple[str, ...], list[AblationRow]] = {}
    for row in rows if positions else []:
        kept = tuple("mean" if i in positions else c for i, c in enumerate(row.options))
        groups.setdefault(kept, []).append(row)
    means = []
    for options, own in groups.items():
        if len(own) < 2 or not all(row.count for row in own):
            continue
        names = list(dict.fromkeys(name for row in own for name in row.scores))
        differences = [row.difference for row in own if row.difference is not None]
        means.append(
            AblationRow(
                options,
                sum(row.count for row in own),
                {n: Spread.of([r.scores.get(n, Spread()).mean for r in own]) for n in names},
                Spread.of([spread.mean for spread in differences]) if differences else None,
                Spread.of([row.seconds for row in own]).mean,
                any(row.external_masks for row in own),
                any(row.seen_queries for row in own),
            )
        )
    return means


def _differences(
    outcomes: Sequence[Outcome], own: Sequence[Outcome], reference: tuple[str, ...], main: str
) -> list[float]:
    others = {o.repeat: o.scores.get(main, math.nan) for o in outcomes if o.options == reference}
    return [o.scores.get(main, math.nan) - others[o.repeat] for o in own if o.repeat in others]


@dataclass(frozen=True)
class ChoiceEffect:
    """What one choice of one key changes against the first choice of that key.

    Args:
        key: what is chosen.
        choice: the choice.
        reference: the first choice of the key.
        pairs: differences of the main score, one a pair of jobs that are alike in all else.
    """

    key: str
    choice: str
    reference: str
    pairs: list[float]

    @property
    def change(self) -> Spread:
        """Mean and spread over the pairs."""
        return Spread.of(self.pairs)

    @property
    def better(self) -> int:
        """Pairs in which the choice is ahead by 0.1 points or more: less is rounding."""
        return sum(round(100 * value, 1) > 0 for value in self.pairs)


def choice_effects(
    outcomes: Sequence[Outcome], keys: Sequence[str], main: str, context: Collection[int] = ()
) -> list[ChoiceEffect]:
    """Compare each choice with the first one of its key, all other choices and the repeat equal.

    Args:
        outcomes: the finished jobs in the order of the sweep.
        keys: what the options choose.
        main: the score that is compared.
        context: positions of keys that nothing is compared across.
    """
    effects = []
    known = {(o.options, o.repeat): o.scores.get(main, math.nan) for o in outcomes}
    for position, key in enumerate(keys):
        if position in context:
            continue
        reference, *others = dict.fromkeys(o.options[position] for o in outcomes)
        for choice in others:
            pairs = []
            for (options, repeat), value in known.items():
                partner = (*options[:position], reference, *options[position + 1 :])
                before = known.get((partner, repeat), math.nan)
                if options[position] == choice and not math.isnan(value - before):
                    pairs.append(value - before)
            effects.append(ChoiceEffect(key, choice, reference, pairs))
    return effects
