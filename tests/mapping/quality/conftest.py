import pytest
from tests.fixtures.class_maps import write_classes
from tests.mapping.quality.cities import NAMES, scene


@pytest.fixture
def city(tmp_path):
    """Truth, map, and the map's file."""
    truth, mapped = scene()
    return truth, mapped, write_classes(tmp_path / "city.tif", mapped, NAMES)
