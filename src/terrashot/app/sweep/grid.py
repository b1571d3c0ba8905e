"""From a multirun's command line and an experiment's ``sweep.grid`` to the list of its jobs."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from terrashot.app.config.paths import as_grammar
from terrashot.errors import ConfigError

REPEATS = ("data.support_draw", "seed")
"""What a table averages over; every other key that varies is an option to compare."""
_MOST_JOBS = 10_000


@dataclass(frozen=True)
class GridJob:
    """One job: the settings that all share, its own ones, and what was chosen for each key.

    Args:
        overrides: everything that composes the job.
        chosen: the key of each dimension of the grid, and the choice as a person wrote it.
    """

    overrides: list[str]
    chosen: dict[str, str]


def parse_several(arguments: list[str]) -> list[Override]:
    """A command line in Hydra's grammar, in which a key may have several values.

    Raises:
        ConfigError: an argument is no setting.
    """
    try:
        full = [as_grammar(argument, several=True) for argument in arguments]
        return OverridesParser.create().parse_overrides(full)
    except HydraException as error:
        raise ConfigError(" ".join(str(error).split())) from error


def split_overrides(arguments: list[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Settings of all jobs, and the listed values of each key that the command line varies.

    Raises:
        ConfigError: an argument is no setting, or a range without steps, which only a search can
            go through.
    """
    fixed: list[str] = []
    varied: dict[str, list[str]] = {}
    for override in parse_several(arguments):
        if not override.is_sweep_override():
            fixed.append(override.input_line or "")
            varied.pop(_key(override), None)  # as with Hydra, the later one wins
        elif override.is_discrete_sweep():
            varied[_key(override)] = list(override.sweep_string_iterator())
        else:
            raise ConfigError(
                f"{override.input_line}: a multirun goes through listed values, for example "
                f"{_key(override)}=1,2,3. To search a range, use `terrashot search`."
            )
    return fixed, varied


def grid_jobs(
    fixed: list[str], varied: Mapping[str, list[str]], grid: Mapping[str, Any]
) -> list[GridJob]:
    """All combinations; what the command line names is not taken from the experiment's grid.

    The repeats vary slowest: a sweep that is stopped half-way has compared all options on some
    draws, and not some options on all draws.

    Args:
        fixed: settings of all jobs.
        varied: listed values by key, from the command line.
        grid: the experiment's ``sweep.grid``: a list by key, or null where the command line has
            to name the values. An option may bring further settings after spaces:
            ``ldam loss.max_margin=0.5``.

    Raises:
        ConfigError: the grid is no mapping of lists, or has too many combinations.
    """
    named = {override.partition("=")[0].lstrip("+~") for override in fixed} | set(varied)
    dimensions: dict[str, list[str]] = {}
    for key, values in grid.items():
        if values is None:
            if key not in named:
                raise ConfigError(
                    f"This experiment compares values of {key} that only you can name; give them "
                    f"on the command line, for example {key}=A,B."
                )
            continue
        if not isinstance(values, list) or not values:
            raise ConfigError(
                f"sweep.grid has {key}: {values!r}, but a list of values was expected, for "
                f"example {key}: [0, 1]. Mend the experiment's file."
            )
        if key not in named:
            dimensions[str(key)] = [_text(value) for value in values]
    dimensions.update({key: [*values] for key, values in varied.items()})
    ordered = sorted(dimensions, key=lambda key: key not in REPEATS)
    count = 1
    for values in dimensions.values():
        count *= len(values)
    if count > _MOST_JOBS:
        raise ConfigError(
            f"The multirun has {count} jobs ({' x '.join(map(str, ordered))}), and {_MOST_JOBS} "
            "is the limit. Leave some values out."
        )
    jobs = []
    for choice in product(*(dimensions[key] for key in ordered)):
        chosen = dict(zip(ordered, choice, strict=True))
        own = [part for key, text in chosen.items() for part in _settings(key, text, grid)]
        jobs.append(GridJob([*fixed, *own], chosen))
    return jobs


def _settings(key: str, text: str, grid: Mapping[str, Any]) -> list[str]:
    """One choice as overrides."""
    if key not in grid or " " not in text:
        return [f"{key}={text}"]
    first, *further = shlex.split(text)
    return [f"{key}={first}", *further]


def _text(value: object) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _key(override: Override) -> str:
    return str(override.get_key_element())
