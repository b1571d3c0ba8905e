import numpy as np
import pytest
from scipy import ndimage

from terrashot.mapping.postprocess.block_map import BlockMap
from terrashot.mapping.postprocess.rule import Draft
from terrashot.taxonomy import Taxonomy


@pytest.fixture(scope="session")
def taxonomy():
    names = {"base": ["tree", "water", "building"], "novel": ["parking", "car"]}
    rows = {role: [{"name": n, "color": "#123456"} for n in names[role]] for role in names}
    return Taxonomy.from_dict({"background": {"name": "background", "color": "#000000"}, **rows})


@pytest.fixture(scope="session")
def wild_map():
    """A map of irregular areas of all sizes with nodata in it, so that every case occurs."""
    rng = np.random.default_rng(3)
    fields = [ndimage.gaussian_filter(rng.standard_normal((150, 173)), 1.6) for _ in range(6)]
    ids = np.stack(fields).argmax(axis=0).astype(np.uint8)
    ids[rng.random(ids.shape) < 0.02] = 4  # specks
    ids[20:40, 100:173] = 255
    ids[60:140, 30:60] = 255
    ids[70:90, 40:50] = 2  # an island in nodata
    return ids


@pytest.fixture
def mend(taxonomy):
    """Apply a rule to ids, in memory as one block or in a file block by block."""

    def run(rule, ids, side=1024, folder=None, before=None, **named):
        if folder is None:
            ids_map = BlockMap.of(np.array(ids, dtype=np.uint8))
        else:
            ids_map = BlockMap(ids.shape, folder)
            ids_map._open()[:] = ids
        draft = Draft("tile", ids_map, taxonomy, side=side, **named)
        earlier = ids if before is None else before[rule.before]
        draft.before[getattr(rule, "before", "")] = BlockMap.of(np.array(earlier))
        rule.apply(draft)
        return draft.ids.array()

    return run
