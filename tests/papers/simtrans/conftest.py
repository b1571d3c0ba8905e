import numpy as np
import pytest
from tests.papers.simtrans.image_folders import make_cub, make_plain

from terrashot.data.tiles import TileDataset
from terrashot.taxonomy import Taxonomy


class Labels(TileDataset):
    """Tiles whose labels a test gives; images show the label as a colour."""

    def __init__(self, labels, taxonomy):
        self._labels = [np.asarray(label, dtype=np.uint8) for label in labels]
        self.taxonomy = taxonomy
        self.tiles = [None] * len(labels)

    def label(self, index):
        return self._labels[index]

    def load(self, index):
        label = self._labels[index]
        return np.stack([label, label, label]), label


def colour(index):
    return f"#{index:06x}"


@pytest.fixture
def taxonomy():
    """Background, three base and two novel classes."""
    names = ["road", "tree", "field", "boat", "court"]
    rows = [{"name": n, "color": colour(i)} for i, n in enumerate(names)]
    return Taxonomy.from_dict(
        {
            "name": "toy",
            "background": {"name": "background", "color": "#000000"},
            "base": rows[:3],
            "novel": rows[3:],
        }
    )


@pytest.fixture
def labels(taxonomy):
    return lambda *maps: Labels(maps, taxonomy)


@pytest.fixture(scope="session")
def cub(once):
    """A CUB-like folder: four base and two novel classes."""
    return once("cub", make_cub)


@pytest.fixture
def plain(tmp_path):
    """Five classes of ten images each."""
    return make_plain(tmp_path / "plain")
