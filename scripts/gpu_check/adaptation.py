"""Stage 2 at the size of the OpenEarthMap challenge: seconds a query, share of the bandwidth."""

import time
from typing import Any

import torch

from benchmark_adaptation import CHANNELS, ITERATIONS, NOVEL, SHOTS, STEP, agreement, engine
from benchmarking.features import FeatureScene
from benchmarking.machine import read_rate, synchronize
from gpu_check.hardware import check_device
from gpu_check.part import Place
from terrashot.adaptation.method import Query
from terrashot.adaptation.solver.sgd import Sgd
from terrashot.tasks.settings.groups import AdaptationSettings

QUERIES = 80
_DIFFERENT = 8
"""Query tiles that are made; each is adapted to on its own, so that they may come again."""


def exact(place: Place) -> dict[str, Any]:
    """All queries with the exact solver, as many as three quarters of the budget allow."""
    check_device(place.device)
    began = time.perf_counter()
    scene = FeatureScene(place.size, place.device)
    together = AdaptationSettings().queries_per_pass
    queries = [Query(scene.query(number)) for number in range(_DIFFERENT)]
    method = engine(scene, torch.float32, Sgd(iterations=ITERATIONS, **STEP))
    batches = [queries[i : i + together] for i in range(0, _DIFFERENT, together)]
    method.adapt_together(batches[0])  # kernels are chosen at the first pass
    synchronize(place.device)
    start, done = time.perf_counter(), 0
    wanted = together if place.is_small else QUERIES
    while done < wanted and time.perf_counter() - began < 0.75 * place.seconds:
        batch = batches[done // together % len(batches)]
        method.adapt_together(batch)
        synchronize(place.device)
        done += len(batch)
    each = (time.perf_counter() - start) / done
    # The support is read once an iteration for all queries of a pass, each query's own once.
    tile = 4 * CHANNELS * place.size**2
    least = ITERATIONS * tile * (NOVEL * SHOTS / together + 1) / read_rate(place.device)
    return {
        "size": place.size,
        "queries": done,
        "seconds_a_query": each,
        "seconds_80_queries": QUERIES * each,
        "share_of_bandwidth": least / each,
    }


def fast(place: Place) -> dict[str, Any]:
    """``solver=fast`` and ``storage=bfloat16`` beside the exact solver: time and agreement."""
    check_device(place.device)
    queries = 1 if place.is_small else AdaptationSettings().queries_per_pass
    return agreement(FeatureScene(place.size, place.device), queries)
