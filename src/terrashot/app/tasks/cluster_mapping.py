"""A mapping run whose scenes go to workers of a cluster."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from terrashot.errors import ConfigError
from terrashot.tasks.bench import Run
from terrashot.tasks.settings.field import setting

if TYPE_CHECKING:
    from terrashot.data.remote.address import RasterPath
    from terrashot.mapping.job import SceneJob
    from terrashot.mapping.request import MapRequest

_GPU = ("gpu", "cuda")


@dataclass
class ClusterSettings:
    """``configs/cluster``: who maps the scenes, if not the process of the run."""

    workers: int = setting(2, at_least=1, at_most=10_000)
    address: str | None = None
    cpus_per_worker: int = setting(1, at_least=1, at_most=1024)
    gpus_per_worker: float | None = setting(
        None, at_least=0, at_most=1, why="a worker uses one GPU or a share of it; 0 for none"
    )
    rows: int = setting(16, at_least=1, why="rows of windows")
    retries: int = setting(2, at_least=0, at_most=100)
    patience: float = setting(600.0, above=0, why="seconds")


def check_cluster(cluster: ClusterSettings | None, processes: int) -> None:
    """Raise a ConfigError where Ray is not there, or processes are asked for in two ways."""
    from terrashot.mapping.cluster.ray_crew import check_ray

    if cluster is None:
        return
    check_ray(cluster.address)
    if processes > 1:
        raise ConfigError(
            f"cluster=ray maps with cluster.workers={cluster.workers}, but trainer.devices and "
            f"trainer.num_nodes ask for {processes} processes beside them. Leave them and strategy "
            "out: cluster.workers is the number of processes."
        )


def cluster_accelerator(cluster: ClusterSettings, asked: str) -> str:
    """What workers compute on: the machine of the run itself may have no GPU.

    Args:
        cluster: Its settings.
        asked: ``trainer.accelerator``.

    Raises:
        ConfigError: a GPU is asked for here and none there, or the other way round.
    """
    from terrashot.app.run.build import resolve_accelerator

    gpus = cluster.gpus_per_worker
    if gpus is None:
        found = resolve_accelerator(asked)
        return "cuda" if found in _GPU else "cpu"
    if (gpus > 0 and asked not in ("auto", *_GPU)) or (gpus == 0 and asked not in ("auto", "cpu")):
        raise ConfigError(
            f"cluster.gpus_per_worker is {gpus:g}, but trainer.accelerator is {asked}. Leave "
            "trainer.accelerator out: on a cluster the GPUs of a worker say what it computes on."
        )
    return "cuda" if gpus > 0 else "cpu"


def map_on_cluster(
    run: Run,
    cluster: ClusterSettings,
    request: "MapRequest",
    left: "Sequence[SceneJob]",
    accelerator: str,
    precision: str,
) -> "tuple[dict[RasterPath, str], dict[str, float]]":
    """Map scenes on the workers.

    Args:
        run: Is told how far it is.
        cluster: Who they are.
        request: What the maps depend on.
        left: The scenes without a map.
        accelerator: ``cpu`` or ``cuda``.
        precision: ``32-true`` or ``bf16-mixed``.

    Returns:
        Why scenes have no map; seconds by stage, of all workers.

    Raises:
        ConfigError: no Ray at the address.
        DataError: no worker is left.
    """
    from terrashot.mapping.cluster.dispatcher import Dispatcher
    from terrashot.mapping.cluster.ray_crew import RayCrew, RayOptions
    from terrashot.mapping.cluster.work import divide
    from terrashot.reporting.live_line import LiveLine

    if not left:
        return {}, {}
    gpus = 0.0
    if accelerator == "cuda":
        gpus = 1.0 if cluster.gpus_per_worker is None else cluster.gpus_per_worker
    options = RayOptions(
        cluster.workers, cluster.address, cluster.cpus_per_worker, gpus, cluster.retries
    )
    with LiveLine(run.console) as line, RayCrew(request, left, precision, options) as crew:
        dispatcher = Dispatcher(
            crew,
            cluster.workers,
            divide(left, cluster.rows),
            cluster.retries,
            cluster.patience,
            line.say,
            line.show,
        )
        dispatcher.run()
    failures = {left[number].scene.path: why for number, why in dispatcher.failures.items()}
    return failures, dict(dispatcher.stages)
