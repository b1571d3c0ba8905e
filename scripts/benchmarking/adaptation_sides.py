"""The adaptation engine and the plain autograd form on one problem, ready to be timed."""

import time
from collections.abc import Callable

import torch

from benchmarking.features import BASE, NOVEL, FeatureScene
from benchmarking.machine import synchronize
from terrashot.adaptation.head import LinearHead
from terrashot.adaptation.method import Query
from terrashot.adaptation.methods.gradient import GradientMethod
from terrashot.adaptation.objective.plain_oracle import PlainObjective
from terrashot.adaptation.objective.support_loss import make_support_loss
from terrashot.adaptation.objective.transduction import Transduction
from terrashot.adaptation.solver.sgd import Sgd
from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.adaptation.transition.rank_one import RankOneTransition
from terrashot.losses.cross_entropy import CrossEntropy
from terrashot.similarity.transport import Transport

STEP = {"lr": 9e-5, "momentum": 0.9, "weight_decay": 5e-4, "decay_to": "snapshot"}


def make_method(solver: Sgd) -> GradientMethod:
    """ClassTrans with cross entropy, whose settings keep the descent stable."""
    return GradientMethod(
        solver=solver,
        loss=CrossEntropy(),
        similarity=Transport(),
        transition=RankOneTransition(),
        transduction=Transduction(
            entropy=3.0, kl=16.0, distillation=100.0, refresh_after=[10, 20, 30, 40, 50, 100]
        ),
        support_weight=650.0,
        reference_norm=5.0,
        history_every=0,
    )


def engine(scene: FeatureScene, storage: torch.dtype, solver: Sgd) -> GradientMethod:
    """The method with the support taken in."""
    support = SupportPixels(
        scene.tiles(), scene.support_labels(), BASE, NOVEL, storage=storage,
        tile_classes=scene.classes,
    )  # fmt: skip
    method = make_method(solver)
    method.fit_support(scene.snapshot, support)
    return method


def engine_steps(scene: FeatureScene, storage: torch.dtype, queries: int) -> Callable[[int], float]:
    """Seconds an iteration and query of the engine, for a number of iterations."""
    method = engine(scene, storage, Sgd(iterations=0, **STEP))
    problem, layout = method._problem, method._layout
    pixels = [method._pixels(Query(scene.query(number))) for number in range(queries)]
    objective = problem.objective(pixels)
    start = layout.pack(method.start_parameters(), method.support.like).expand(queries, -1)
    objective.begin(start)

    def run(iterations: int) -> float:
        synchronize(scene.device)
        began = time.perf_counter()
        Sgd(iterations=iterations, **STEP).descend(start, objective, history_every=0)
        synchronize(scene.device)
        return (time.perf_counter() - began) / iterations / queries

    return run


def oracle_steps(scene: FeatureScene) -> Callable[[int], float]:
    """Seconds an iteration of the plain form."""
    small = FeatureScene(32, scene.device)
    method = engine(small, torch.float32, Sgd(iterations=0, **STEP))  # for start and scale alone
    features = torch.stack(list(scene.tiles())).mul_(float(method.scale.factor))
    loss = make_support_loss(CrossEntropy(), method.support, method.options)
    objective = PlainObjective(
        features,
        torch.stack(scene.support_labels()).to(features.device),
        scene.classes,
        scene.query() * float(method.scale.factor),
        torch.ones(scene.size, scene.size, device=features.device),
        LinearHead(scene.snapshot.weight / float(method.scale.factor), scene.snapshot.bias),
        loss,
        method.options.support_weight,
        method.transition,
        method.transduction,
    )
    start = method.start_parameters()
    objective.refresh(start)

    def run(iterations: int) -> float:
        parameters = {name: torch.nn.Parameter(value.clone()) for name, value in start.items()}
        optimizer = torch.optim.SGD(parameters.values(), lr=9e-5, momentum=0.9, weight_decay=5e-4)
        synchronize(scene.device)
        began = time.perf_counter()
        for iteration in range(iterations):
            gradients, _ = objective.gradient(dict(parameters), iteration)
            for name, parameter in parameters.items():
                parameter.grad = gradients[name]
            optimizer.step()
        synchronize(scene.device)
        return (time.perf_counter() - began) / iterations

    return run


def steps_of(side: str, scene: FeatureScene, queries: int) -> Callable[[int], float]:
    """Seconds an iteration and query of a side; the plain form has one query in a pass."""
    if side == "oracle":
        return oracle_steps(scene)
    return engine_steps(scene, storage_of(side), queries)


def storage_of(side: str) -> torch.dtype:
    """What a side keeps the support's features in."""
    return torch.bfloat16 if side == "bfloat16" else torch.float32
