from pathlib import Path

import pytest

from terrashot.data.checks.survey import split_by_name
from terrashot.data.layout import Tile


@pytest.mark.parametrize(("count", "held"), [(1, 0), (2, 1), (4, 1), (5, 1), (12, 2)])
def test_of_two_tiles_and_more_one_is_there_to_validate_on(count, held):
    tiles = [Tile(f"t{i:02}", Path(f"t{i:02}.tif"), Path("label.tif")) for i in range(count)]
    train, validation = split_by_name(tiles, 0.2)
    assert (len(train), len(validation)) == (count - held, held)
