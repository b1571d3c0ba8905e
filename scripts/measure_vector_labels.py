"""What polygons and points teach, beside whole label tiles: stage-2 scores on the same queries.

    python scripts/measure_vector_labels.py logs/stage1/latest --root ../shared/data/dubai

The support label tiles of a few-shot dataset become polygons (`rasterio.features.shapes`) on copies
of the tiles that lie beside each other on made-up ground, a pixel a metre. A head learns from the
tiles; from all polygons, with the tiles as completely labelled areas; from all polygons alone; from
5 polygons a class; and from 20 points a class. Each draw (`data.support_draw`) takes other tiles,
polygons and points. Queries are mapped without mirrored views. `--sure` and `--ring` take several
values, `none` among them: what says what a class is not, where nobody has labelled it.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyogrio
import rasterio
import shapely
import torch
import yaml
from rasterio.features import shapes as polygons_of
from rasterio.transform import Affine
from rich.console import Console
from rich.table import Table
from shapely.geometry import shape
from torch import Tensor

import terrashot
from terrashot.data.layout import FewShotLayout, Tile
from terrashot.data.reading import read_image, read_label
from terrashot.evaluation.confusion import ConfusionMatrix
from terrashot.evaluation.scores import GfssScores, gfss_scores
from terrashot.model.adapted_model import AdaptedModel
from terrashot.model.model import Model
from terrashot.taxonomy import IGNORE, Taxonomy

SYSTEM, GAP = "EPSG:32640", 10_000
PLAIN = {"inference.flips": "none"}


@dataclass
class Ground:
    """The support of a draw on made-up ground.

    Args:
        images: The folder of the tiles.
        objects: Polygons of each class, and the share of the tile pixels that they cover.
        areas: Where a tile is labelled at all.
    """

    images: Path
    objects: dict[str, list[shapely.Polygon]]
    areas: list[shapely.Polygon]


def lay_out(support: dict[int, list[Tile]], taxonomy: Taxonomy, folder: Path) -> Ground:
    """Write the tiles beside each other, and make their labels polygons."""
    ground = Ground(folder / "images", {}, [])
    ground.images.mkdir()
    number = 0
    for class_id, tiles in support.items():
        objects = ground.objects.setdefault(taxonomy.names[class_id], [])
        for tile in tiles:
            pixels, label = read_image(tile.image), read_label(tile.label)
            place = Affine(1, 0, 300_000 + GAP * number, 0, -1, 2_787_000)
            number += 1
            profile = {"dtype": "uint8", "count": 3, "crs": SYSTEM, "transform": place}
            profile |= {"height": label.shape[0], "width": label.shape[1]}
            with rasterio.open(ground.images / f"{number:03d}.tif", "w", **profile) as target:
                target.write(pixels)
            own, known = label == class_id, (label != IGNORE).astype(np.uint8)
            objects += [shape(s) for s, _ in polygons_of(label, own, transform=place)]
            ground.areas += [shape(s) for s, _ in polygons_of(known, known > 0, transform=place)]
    return ground


def some_polygons(
    objects: dict[str, list[shapely.Polygon]], count: int, least: float, rng: np.random.Generator
) -> dict[str, list[shapely.Geometry]]:
    """Polygons of at least so many square metres, as a person would choose some to draw."""
    chosen: dict[str, list[shapely.Geometry]] = {}
    for name, shapes in objects.items():
        large = [s for s in shapes if s.area >= least] or shapes
        picked = rng.choice(len(large), min(count, len(large)), replace=False)
        chosen[name] = [large[i] for i in picked]
    return chosen


def some_points(
    objects: dict[str, list[shapely.Polygon]], count: int, radius: float, rng: np.random.Generator
) -> dict[str, list[shapely.Geometry]]:
    """Points at random places of each class, no nearer to its border than the radius."""
    chosen: dict[str, list[shapely.Geometry]] = {}
    for name, shapes in objects.items():
        inner = [s for s in shapely.buffer(shapes, -radius) if not s.is_empty] or list(shapes)
        shares = shapely.area(inner) / shapely.area(inner).sum()
        chosen[name] = []
        while len(chosen[name]) < count:
            region = inner[rng.choice(len(inner), p=shares)]
            left, bottom, right, top = region.bounds
            point = shapely.Point(rng.uniform(left, right), rng.uniform(bottom, top))
            if region.contains(point):
                chosen[name].append(point)
    return chosen


def write_layer(path: Path, objects: dict[str, list[shapely.Geometry]]) -> Path:
    """A GeoPackage with the attribute ``class``."""
    names = [name for name, shapes in objects.items() for _ in shapes]
    shapes = np.array([s for found in objects.values() for s in found], dtype=object)
    fields = [np.array(names, dtype=object)]
    kind = shapes[0].geom_type
    pyogrio.raw.write(
        path, shapely.to_wkb(shapes), fields, ["class"], geometry_type=kind, crs=SYSTEM
    )
    return path


class Queries:
    """The query tiles, whose maps are made once, by the network of the first model scored."""

    def __init__(self, tiles: list[Tile], taxonomy: Taxonomy) -> None:
        self.taxonomy = taxonomy
        self._tiles = tiles
        labels = [read_label(tile.label) for tile in tiles]
        for label in labels:  # classes that are not learned are like any other background
            label[(label >= taxonomy.num_classes) & (label != IGNORE)] = 0
        self._labels = [torch.from_numpy(label).long() for label in labels]
        self._maps: list[list[Tensor]] = []

    def score(self, model: Model) -> GfssScores:
        """Over all of them; the model's classes are brought to the order of the data's."""
        network = model.network
        if not self._maps:  # a method may see more than the decoder's map (adaptation.features)
            self._maps = [_maps_of(tile, network) for tile in self._tiles]
        confusion = ConfusionMatrix(self.taxonomy.num_classes)
        order = torch.tensor([self.taxonomy.names.index(name) for name in model.classes])
        for maps, label in zip(self._maps, self._labels, strict=True):
            size = (label.shape[0], label.shape[1])
            with torch.no_grad():
                found = network.from_maps(maps, size)[0].argmax(dim=0)
            confusion.update(order[found], label)
        counts: Tensor = confusion.compute()
        return gfss_scores(counts, self.taxonomy)


def _maps_of(tile: Tile, network: AdaptedModel) -> list[Tensor]:
    image = torch.from_numpy(read_image(tile.image))[None].float() / 255
    with torch.no_grad():
        return [each.float() for each in network.segmenter.maps(image)]


def experiments(
    base: Model,
    support: dict[int, list[Tile]],
    taxonomy: Taxonomy,
    options: argparse.Namespace,
    draw: int,
) -> Iterator[tuple[str, Callable[[], Model]]]:
    """What is learned from, by name; each is adapted when it is asked for."""
    common = {"method": options.method, "feature_stride": options.stride, "settings": PLAIN}
    rng = np.random.default_rng(draw)
    tiles = {
        taxonomy.names[class_id]: [
            (read_image(t.image).transpose(1, 2, 0), read_label(t.label)) for t in found
        ]
        for class_id, found in support.items()
    }
    yield "label tiles", lambda: base.adapt(tiles, **common)
    with TemporaryDirectory() as folder:
        path = Path(folder)
        ground = lay_out(support, taxonomy, path)
        everything = write_layer(path / "all.gpkg", ground.objects)
        areas = write_layer(path / "areas.gpkg", {"": ground.areas})
        few = some_polygons(ground.objects, 5, options.stride**2, rng)
        points = some_points(ground.objects, 20, options.radius, rng)
        layers = {
            "all polygons": everything,
            "5 polygons a class": write_layer(path / "few.gpkg", few),
            "20 points a class": write_layer(path / "points.gpkg", points),
        }
        given = {**common, "images": ground.images, "point_radius": options.radius}
        yield (
            "all polygons, tiles as areas",
            lambda: base.adapt(everything, areas=areas, sure=None, **given),
        )
        for name, layer in layers.items():
            for sure in options.sure:
                for ring in options.ring:
                    how = ", ".join(
                        f"{key} {value:g}"
                        for key, value in (("sure", sure), ("ring", ring))
                        if value is not None
                    )
                    yield (
                        f"{name}; {how or 'nothing against'}",
                        lambda layer=layer, sure=sure, ring=ring: base.adapt(
                            layer, sure=sure, ring=ring, **given
                        ),
                    )


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", help="a stage-1 checkpoint or run folder")
    parser.add_argument("--data", type=Path, default=Path("configs/data/dubai.yaml"))
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--method", default="terrashot")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--queries", type=int, help="the first so many; without it all")
    parser.add_argument("--stride", type=int, default=16, help="of the features learned from")
    parser.add_argument("--radius", type=float, default=12, help="of points, in pixels")
    parser.add_argument("--only", nargs="*", help="novel classes to learn; without it all")
    parser.add_argument("--sure", nargs="+", type=_number, default=[0.0])
    parser.add_argument("--ring", nargs="+", type=_number, default=[None])
    options = parser.parse_args()
    config = yaml.safe_load(options.data.read_text(encoding="utf-8"))
    if options.only:
        rows = config["taxonomy"]["novel"]
        kept = [row for row in rows if row["name"] in options.only]
        assert kept == rows[: len(kept)], "--only takes the first classes: labels are ids"
        config["taxonomy"]["novel"] = kept
    taxonomy = Taxonomy.from_dict(config["taxonomy"])
    base = terrashot.load(options.checkpoint)
    layouts = [
        FewShotLayout(options.root, options.split, support_draw=draw)
        for draw in range(options.draws)
    ]
    queries = Queries(layouts[0].query[: options.queries], taxonomy)
    found: dict[str, list[GfssScores]] = {}
    console = Console()
    for draw, layout in enumerate(layouts):
        support = {i: layout.support[i] for i in taxonomy.novel_ids}
        for name, adapt in experiments(base, support, taxonomy, options, draw):
            score = queries.score(adapt())
            found.setdefault(name, []).append(score)
            console.print(f"draw {draw}, {name}: weighted {100 * score.weighted_miou:.1f}")
    table = Table(title=f"{options.method}, {len(layouts)} draw(s), mIoU in percent")
    for column in ("learned from", "weighted", "against tiles", "novel", "base"):
        table.add_column(column)
    tiles = [score.weighted_miou for score in next(iter(found.values()))]
    for name, scores in found.items():
        weighted = [score.weighted_miou for score in scores]
        others = (
            _spread([getattr(s, mean) for s in scores]) for mean in ("novel_miou", "base_miou")
        )
        paired = _spread([one - other for one, other in zip(weighted, tiles, strict=True)])
        table.add_row(name, _spread(weighted), paired, *others)
    console.print(table)


def _number(text: str) -> float | None:
    return None if text == "none" else float(text)


def _spread(values: list[float]) -> str:
    deviation = np.std(values, ddof=1) if len(values) > 1 else 0.0
    return f"{100 * np.mean(values):.1f} ± {100 * deviation:.1f}"


if __name__ == "__main__":
    main()
