"""results.json: the numbers of a finished run."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from terrashot.app.run_folder import RunFolder
from terrashot.files import write_json
from terrashot.taxonomy import Taxonomy


def without_nan(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """JSON has no nan; an absent class is null."""
    return {k: None if math.isnan(v) else round(v, 6) for k, v in metrics.items()}


def write_results(
    folder: RunFolder,
    metrics: Mapping[str, float],
    confusion: Tensor,
    taxonomy: Taxonomy,
    extra: Mapping[str, Any],
) -> None:
    """Write metrics, counts and what else a task has to say."""
    write_json(
        folder.results,
        {
            "metrics": without_nan(metrics),
            **extra,
            "classes": taxonomy.names,
            "confusion": confusion.cpu().to(torch.int64).tolist(),
        },
    )
