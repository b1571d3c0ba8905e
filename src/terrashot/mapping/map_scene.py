"""Georeferenced maps of whole scenes from Python: what ``experiment=predict`` does."""

import copy
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from terrashot.data.imagery import parse_scale
from terrashot.image_spec import Band
from terrashot.mapping.alone import map_alone
from terrashot.mapping.blending import Layers
from terrashot.mapping.checks import check_scenes, class_ids
from terrashot.mapping.engine import resolve_engine
from terrashot.mapping.ledger import Ledger
from terrashot.mapping.mapper import describe_failures
from terrashot.mapping.products import ProductOptions
from terrashot.mapping.qgis_project import folder_project
from terrashot.mapping.request import MapRequest, WindowOptions, prepare_model
from terrashot.mapping.scene_products import SceneProducts
from terrashot.model.model import Model
from terrashot.model.precision import map_precision, network_context


def map_scene(
    model: Model,
    scene: str | Path,
    folder: str | Path,
    *,
    views: str | None = None,
    window: int = 1024,
    overlap: int = 256,
    norm_side: int | None = 256,
    batch_size: int = 1,
    precision: str = "auto",
    engine: str = "auto",
    bands: Sequence[Band] | None = None,
    scale: Sequence[float] | str | None = None,
    confidence: bool = False,
    probabilities: Sequence[str] = (),
    picture: bool = True,
    style: bool = True,
    areas: bool = True,
    project: bool = True,
    polygons: bool = False,
    minimum_mapping_unit: float | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> list[Path]:
    """Map scenes of any size in constant memory.

    Called again, it goes on with what is left; finished scenes are left as they are. The bytes are
    those of ``experiment=predict`` with the same settings.

    Args:
        model: Adapted, or a stage-1 network, which maps its base classes.
        scene: A raster, a folder of rasters, a VRT or a glob; an address (``https://``, ``s3://``,
            ``/vsi...``) or a catalogue (``stac:``).
        folder: Of the maps; it is made.
        views: ``plain``, ``mirror``, ``flips`` or ``dihedral``; None: those that the model was
            scored with.
        window: Side of a window in pixels, a multiple of 32.
        overlap: Of neighbouring windows, a multiple of 32 up to half a window.
        norm_side: Group normalisation looks at a square of this side; None: at the whole window.
        batch_size: Windows at once.
        precision: ``32-true``, ``bf16-mixed``, or ``auto``: the latter where a GPU has it.
        engine: ``torch``, ``onnxruntime`` on the processor, or ``auto``: the latter for large
            scenes, in float32, where it is installed and can compute the network.
        bands: Numbers or names of the bands that are the network's channels; None: as it was
            trained.
        scale: For pixels of another type than it was trained on: ``(low, high)``, the values that
            become black and white, ``percentile`` or ``full``.
        confidence: Also write the probability of the mapped class, in percent.
        probabilities: Also write those of these classes.
        picture: Also draw a PNG with a legend.
        style: Also write a QGIS style.
        areas: Also write the area of each class as CSV.
        project: Also write ``maps.qgz``, a QGIS project of all maps in the folder, unless another
            one is there.
        polygons: Also write a GeoPackage of polygons.
        minimum_mapping_unit: Of the polygons: square metres of a projected scene, else pixels.
        progress: Called with the batches done and those that there are.

    Returns:
        The maps: a GeoTIFF of class ids a scene, in the order of the scenes.

    Raises:
        ConfigError: settings that don't go together, or a file that is not to be replaced.
        DataError: no scene, one that can't be read or mapped, or no space; the others have maps.
    """
    precision = map_precision(precision, model.device.type)
    engine = resolve_engine(engine, precision, model.device.type)
    options = WindowOptions(window, overlap, norm_side, views, batch_size, engine=engine)
    network_context(precision, model.device)  # refuses what only a trainer knows
    own = copy.deepcopy(model.network)  # prepared for windows, which `model.predict` does without
    prepare_model(own, options)
    request = MapRequest(
        model=own,
        name="adapted in memory" if model.path is None else model.path.name,
        digest=model.digest,
        scenes=check_scenes(str(scene), own.spec, bands, parse_scale(scale, "scale")),
        output=Path(folder),
        layers=Layers(confidence, class_ids(probabilities, own.taxonomy)),
        options=options,
        products=SceneProducts(
            own.taxonomy, ProductOptions(style, areas, polygons, minimum_mapping_unit), picture
        ),
        files=() if model.path is None else (model.path,),
    )
    request.check()
    ledger = Ledger(request.output)
    jobs = request.jobs(ledger, precision, partial(warnings.warn, stacklevel=3))
    left = [job for job in jobs if not ledger.is_finished(job.output.stem, job.digest)]
    request.begin(ledger, left)
    request.products.complete([job for job in jobs if job not in left], ledger, lambda _: None)
    mapper = request.mapper(left, ledger)
    map_alone(mapper, mapper.share(), model.device, precision, progress)
    if project:
        folder_project(ledger)
    missing = [j.scene.path for j in jobs if not ledger.is_finished(j.output.stem, j.digest)]
    if missing:
        raise describe_failures(mapper.failures, missing, len(jobs))
    return [job.output for job in jobs]
