"""Where classes have gone that configurations of earlier runs name."""

import importlib
from functools import cache
from typing import Any

from terrashot.app.tasks.registry import WINGS
from terrashot.taxonomy import IGNORE

# Below terrashot: the name that version 0.1 wrote into config.yaml, and today's. Wings add theirs.
_MOVED = {
    "adaptation.anchored.AnchoredSgd": "adaptation.solver.anchored.AnchoredSgd",
    "adaptation.base_only.BaseOnly": "adaptation.methods.base_only.BaseOnly",
    "adaptation.gradient_adapter.GradientAdapter": "adaptation.methods.gradient.GradientMethod",
    "adaptation.imprinting.Imprinting": "adaptation.methods.imprinting.Imprinting",
    "adaptation.lbfgs.Lbfgs": "adaptation.solver.lbfgs.Lbfgs",
    "adaptation.ridge.Ridge": "adaptation.methods.ridge.Ridge",
    "adaptation.solver.Sgd": "adaptation.solver.sgd.Sgd",
    "adaptation.transduction.Transduction": "adaptation.objective.transduction.Transduction",
}


@cache
def _moved() -> dict[str, str]:
    """The names of the core, and those that each wing lists beside its tasks."""
    found = dict(_MOVED)
    for wing in WINGS:
        found |= importlib.import_module(wing).MOVED
    return found


def renamed(value: Any) -> Any:  # noqa: ANN401 - what stands in a YAML file
    """The same configuration with today's names in every ``_target_``."""
    if isinstance(value, list):
        return [renamed(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: renamed(item) for key, item in value.items()}
    target = str(found.get("_target_", "")).removeprefix("terrashot.")
    if target in _moved():
        found["_target_"] = f"terrashot.{_moved()[target]}"
    if found.get("ignore_index") == IGNORE:  # stood in several places, with this value alone
        del found["ignore_index"]
    return found
