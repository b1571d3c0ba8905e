import pytest
import torch

from terrashot.errors import ConfigError
from terrashot.model.views import Views


def shifted(image):
    """A model that is not the same for mirrored images: it looks at the left neighbour."""
    return image.roll(1, dims=-1).repeat(1, 2, 1, 1)


@pytest.mark.parametrize(("name", "count"), [("plain", 1), ("flips", 4), ("dihedral", 8)])
def test_each_view_is_seen_once_and_turned_back(name, count):
    seen = []

    def model(image):
        seen.append(image)
        return image * 1.0

    image = torch.rand(2, 3, 8, 12)
    assert torch.allclose(Views(name)(model, image), image, atol=1e-6)
    assert len(seen) == count
    assert len({tuple(s.flatten().tolist()) for s in seen}) == count


def test_the_mean_of_all_views_turns_with_the_image():
    image = torch.rand(1, 3, 8, 8)
    views = Views("dihedral")
    turned = views(shifted, image.rot90(1, (-2, -1))).rot90(-1, (-2, -1))
    assert torch.allclose(turned, views(shifted, image), atol=1e-6)
    assert not torch.allclose(shifted(image), views(shifted, image), atol=1e-2)


def test_an_unknown_name_is_refused():
    with pytest.raises(ConfigError, match="plain, flips, dihedral"):
        Views("mirrored")
