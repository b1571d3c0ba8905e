"""A faultless dataset of tiny tiles, in which a test plants one fault."""

import json

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine

from terrashot.data.checks.dataset import check_dataset
from terrashot.taxonomy import Taxonomy

TAXONOMY = Taxonomy.from_dict(
    {
        "background": {"name": "background", "color": "#000000"},
        "base": [{"name": "tree", "color": "#226126"}, {"name": "road", "color": "#ffffff"}],
        "novel": [{"name": "pool", "color": "#0045ff"}, {"name": "ship", "color": "#ff8000"}],
    }
)
SIDE = 12


def write_raster(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    bands = array if array.ndim == 3 else array[None]
    profile = {"driver": "GTiff", "count": len(bands), "dtype": bands.dtype}
    profile |= {"height": bands.shape[1], "width": bands.shape[2], "crs": "EPSG:32631"}
    with rasterio.open(
        path, "w", **profile, transform=Affine(0.5, 0, 440_000, 0, -0.5, 5_300_000)
    ) as out:
        out.write(bands)


class Dataset:
    """Files and lists of the dataset, and means to change them."""

    side = SIDE
    taxonomy = TAXONOMY
    write = staticmethod(write_raster)

    def __init__(self, root):
        self.root = root
        self._random = np.random.default_rng(0)
        support = {s: {"3": [f"{s}_p.tif"], "4": [f"{s}_s.tif"]} for s in ("val", "test")}
        for name in ("t1", "t2", "v1"):
            self.tile("trainset", name, [0, 1, 2])
        for s in ("val", "test"):
            self.tile(f"{s}set", f"{s}_p", [0, 3])
            self.tile(f"{s}set", f"{s}_s", [0, 4, 255])
            self.tile(f"{s}set", f"{s}_q", [0, 1, 2, 3, 4])
            self.json(s, support[s], [f"{s}_q.tif"])
        self.text("train", ["t1.tif", "t2.tif"])
        self.text("stage1_val", ["v1.tif"])

    def image(self, folder, name):
        return self.root / folder / "images" / f"{name}.tif"

    def label(self, folder, name):
        return self.root / folder / "labels" / f"{name}.tif"

    def tile(self, folder, name, ids):
        write_raster(
            self.image(folder, name), self._random.integers(0, 256, (3, SIDE, SIDE)).astype("uint8")
        )
        self.relabel(folder, name, ids)

    def relabel(self, folder, name, ids):
        write_raster(self.label(folder, name), np.resize(np.array(ids, "uint8"), (SIDE, SIDE)))

    def text(self, role, names):
        (self.root / f"{role}.txt").write_text("".join(f"{n}\n" for n in names))

    def json(self, split, support, query):
        value = {"support_set": support, "query_set": query}
        (self.root / f"{split}.json").write_text(json.dumps(value))

    def json_value(self, split):
        return json.loads((self.root / f"{split}.json").read_text())

    def check(self):
        return check_dataset(self.root, TAXONOMY, workers=2)


@pytest.fixture
def dataset(tmp_path):
    return Dataset(tmp_path / "set")


@pytest.fixture
def only():
    """Takes the one finding of a report beside notes; anything else fails."""

    def take(report, level, kind):
        found = [f for f in report.findings if f.level != "note"]
        assert [(f.level, f.kind) for f in found] == [(level, kind)]
        return found[0]

    return take
