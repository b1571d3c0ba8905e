"""A session on a small scene, with a small network of random weights."""

import copy

import numpy as np
import pytest
from tests.fixtures.ground import UTM, grid

from terrashot.annotation.session import Session
from terrashot.annotation.store import LabelStore
from terrashot.annotation.teacher import Teaching
from terrashot.mapping.scene import inspect_scene
from terrashot.model.base_head import as_adapted
from terrashot.model.model import Model

SIZE = (150, 200)


@pytest.fixture(scope="session")
def network(make_adapted):
    model = make_adapted()
    return as_adapted(model.segmenter, model.taxonomy.base_only())


@pytest.fixture
def base(network):
    return Model(copy.deepcopy(network))


@pytest.fixture
def scene_file(write_raster):
    pixels = np.random.default_rng(0).integers(60, 120, (3, *SIZE), dtype=np.uint8)
    pixels[:, 20:60, 30:90] = np.array([20, 60, 220], np.uint8)[:, None, None]
    pixels[:, 100:140, 120:190] = np.array([20, 60, 220], np.uint8)[:, None, None]
    return write_raster("city.tif", pixels, crs=UTM, transform=grid())


@pytest.fixture
def open_session(base, scene_file, tmp_path):
    opened = []

    def make(path=None, scenes=(), **options):
        found = [inspect_scene(p, base.imagery) for p in (scenes or [scene_file])]
        store = LabelStore(
            path or tmp_path / "city.gpkg", base.taxonomy.classes, found[0].crs, author="ada"
        )
        given = {"teaching": Teaching(window=64), "side": 64, "margin": 32} | options
        opened.append(Session(base, found, store, **given))
        return opened[-1]

    yield make
    for session in opened:
        session.close()


@pytest.fixture
def session(open_session):
    session = open_session()
    session.store.add_class(session.store.version, "pool")
    return session


def box(x0, y0, x1, y1):
    """A rectangle as the page draws it."""
    return {"tool": "rectangle", "points": [[x0, y0], [x1, y1]]}
