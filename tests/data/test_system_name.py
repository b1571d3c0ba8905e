import pytest
from rasterio.crs import CRS

from terrashot.data.placement import system_name

OWN = CRS.from_proj4("+proj=tmerc +lat_0=0 +lon_0=19 +k=0.9993 +x_0=500000 +y_0=-5300000")


@pytest.mark.parametrize(
    ("crs", "name"), [(CRS.from_epsg(26914), "EPSG:26914"), (OWN, "unknown")], ids=["EPSG", "own"]
)
def test_a_system_is_named_in_a_word_and_not_in_well_known_text(crs, name):
    assert system_name(crs) == name
