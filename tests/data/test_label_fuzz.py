"""Label files of every kind, whole and damaged: class ids, or one clear error.

``FUZZ_EXAMPLES=2000 pytest tests/data/test_label_fuzz.py`` tries more of them than the tests do.
"""

import os
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import rasterio

from terrashot.data.checks.survey import survey
from terrashot.data.label_codes import LabelCodes
from terrashot.data.reading import read_label
from terrashot.errors import TerrashotError
from terrashot.taxonomy import IGNORE, Taxonomy

pytest.importorskip("hypothesis")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TAXONOMY = Taxonomy.from_dict({"name": "city", "base": ["wood", "road"], "novel": ["pool"]})
TABLES = (
    None,
    {"map": {0: "background", 1: "wood", 2: "road", 300: "pool", -1: "ignore"}},
    {"map": {21: "wood", -32768: "road"}, "other": "ignore"},
    {"colours": {"#000000": "background", "#00ff00": "wood"}, "other": "background"},
    {"colours": {"#010203": "wood"}},
)
TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64", "complex64")


@st.composite
def labels(draw):
    """What a label file is made of."""
    return {
        "dtype": draw(st.sampled_from(TYPES)),
        "count": draw(st.sampled_from([1, 1, 1, 2, 3, 4, 5])),
        "height": draw(st.integers(1, 40)),
        "width": draw(st.integers(1, 40)),
        "nodata": draw(st.sampled_from([None, None, 0, 2, 9, 255, -1, -9999, float("nan"), 1.5])),
        "values": draw(st.sampled_from([(0, 4), (0, 256), (-2, 3), (250, 400), (-40_000, 70_000)])),
        "palette": draw(st.booleans()),
        "suffix": draw(st.sampled_from([".tif", ".tif", ".png"])),
        "seed": draw(st.integers(0, 2**16)),
        "damage": draw(st.sampled_from(["none"] * 5 + ["cut", "empty", "text"])),
    }


def write(path: Path, label: dict) -> bool:
    """Write the file; False where GDAL refuses to write such a one."""
    rng = np.random.default_rng(label["seed"])
    shape = (label["count"], label["height"], label["width"])
    values = rng.integers(*label["values"], shape)
    kind = np.dtype(label["dtype"])
    if kind.kind in "ui":
        values = values.clip(np.iinfo(kind).min, np.iinfo(kind).max)
    driver = "PNG" if label["suffix"] == ".png" else "GTiff"
    if driver == "PNG" and (label["dtype"] != "uint8" or label["count"] > 4):
        return False
    profile = {key: label[key] for key in ("count", "height", "width", "dtype", "nodata")}
    try:
        with rasterio.open(path, "w", driver=driver, **profile) as file:
            file.write(values.astype(kind))
            if label["palette"]:
                count = 256 if driver == "PNG" else 4
                file.write_colormap(1, {i: (i, 255, 0, 255) for i in range(count)})
    except (ValueError, TypeError, OverflowError, rasterio.errors.RasterioError):
        return False
    content = path.read_bytes()
    damaged = {"cut": content[: len(content) * 2 // 3], "empty": b"", "text": b"<html>404</html>"}
    path.write_bytes(damaged.get(label["damage"], content))
    return True


@settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "60")),
    deadline=None,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(label=labels(), table=st.sampled_from(TABLES), strict=st.booleans())
@pytest.mark.timeout(0)
def test_a_label_is_read_or_refused_with_one_clear_error(label, table, strict):
    ids = {*range(TAXONOMY.num_classes), IGNORE}
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "labels" / f"a{label['suffix']}"
        path.parent.mkdir()
        if not write(path, label):
            return
        try:
            found = read_label(path, ids if strict else None, LabelCodes.of(table, TAXONOMY))
            assert found.shape == (label["height"], label["width"])
            assert found.dtype == np.uint8
            if strict or table is not None:
                assert set(np.unique(found)) <= ids
        except TerrashotError as error:
            said(error)
        image = Path(folder) / "images" / "a.tif"
        image.parent.mkdir()
        write(image, {**label, "dtype": "uint8", "nodata": None, "damage": "none", "palette": False,
                      "suffix": ".tif"})  # fmt: skip
        try:
            looked = survey(Path(folder))
            assert sum(looked.codes.values()) <= label["height"] * label["width"]
        except TerrashotError as error:
            said(error)


def said(error: TerrashotError) -> None:
    """An error is one paragraph that names the file."""
    assert len(str(error)) > 40
    assert "a." in str(error)
