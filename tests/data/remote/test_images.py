"""Images that labels are drawn on may lie elsewhere."""

import numpy as np

from terrashot.data.labels.scenes import find_images, inspect_images
from terrashot.data.labels.windows import Place
from terrashot.image_spec import ImageSpec


def test_images_under_an_address_are_read_as_those_on_disk(served, write_raster, tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (3, 600, 500)).astype(np.uint8)
    path = write_raster(tmp_path / "www/a.tif", picture, tiled=True, blockxsize=256, blockysize=256)
    address = f"{served.url}/a.tif"
    local, remote = find_images([address, path])
    assert (local, str(remote)) == (path, address)
    images = inspect_images([local, remote], ImageSpec())
    served.faults({"path": "a.tif", "kind": "cut", "after": 1, "times": 2})
    (here, _), (there, valid) = (image.read(Place(100, 50, 300, 200)) for image in images)
    np.testing.assert_array_equal(here, there)
    assert valid.all()
