"""Transitions as plain values, for files that outlive the run."""

from collections.abc import Mapping
from typing import Any

from terrashot.adaptation.transition.base import Transition
from terrashot.adaptation.transition.full import FullTransition
from terrashot.adaptation.transition.none import NoTransition
from terrashot.adaptation.transition.rank_one import RankOneTransition
from terrashot.adaptation.transition.shared import SharedTransition

# By name: the class, and its settings, which are its attributes too.
_KNOWN: dict[str, tuple[type[Transition], tuple[str, ...]]] = {
    "none": (NoTransition, ()),
    "rank_one": (RankOneTransition, ("std",)),
    "shared": (SharedTransition, ("normalise", "smoothing")),
    "full": (FullTransition, ("rank", "std")),
}


def describe_transition(transition: Transition) -> dict[str, Any]:
    """``name`` and settings of a transition.

    Raises:
        ValueError: its class stands in no row of this file.
    """
    for name, (kind, settings) in _KNOWN.items():
        if type(transition) is kind:
            return {"name": name, **{key: getattr(transition, key) for key in settings}}
    raise ValueError(
        f"{type(transition).__name__} has no name that a file could keep; add a row to "
        "adaptation/transition/describe.py"
    )


def transition_from(description: Mapping[str, Any]) -> Transition:
    """The transition that ``describe_transition`` described.

    Raises:
        KeyError: an unknown name.
        TypeError: settings that it does not have.
    """
    kind, _ = _KNOWN[description["name"]]
    settings: dict[str, Any] = {k: v for k, v in description.items() if k != "name"}
    return kind(**settings)
