import pytest
import torch

from terrashot.errors import ConfigError
from terrashot.papers.false.windows.two_views import TwoViews
from terrashot.papers.false.windows.unlabelled_windows import collate_views


def window(seed=0, side=40):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (3, side, side), dtype=torch.uint8, generator=generator)


def drawn(views, image, seed):
    torch.manual_seed(seed)
    return views(image)


def test_false_t11_first_views_come_first_and_seeds_give_different_views():
    views = TwoViews(size=24)
    a, b = (drawn(views, window(seed), seed) for seed in (1, 2))
    batch = collate_views([{"views": a, "name": "a"}, {"views": b, "name": "b"}])
    assert batch["name"] == ["a", "b"]
    for row, view in enumerate([a[0], b[0], a[1], b[1]]):
        assert torch.equal(batch["views"][row], view)
    assert not torch.equal(a[0], a[1])  # two draws
    assert not torch.equal(a, drawn(views, window(1), 3))
    assert torch.equal(a, drawn(views, window(1), 1))


def test_views_are_floats_in_0_to_1_and_the_window_is_left_as_it_was():
    image = window()
    kept = image.clone()
    views = drawn(TwoViews(size=32), image, 0)
    assert views.shape == (2, 3, 32, 32)
    assert views.dtype == torch.float32
    assert 0 <= views.min() <= views.max() <= 1
    assert torch.equal(image, kept)


def test_turns_and_flips_reach_all_eight_positions_and_move_pixels_only():
    still = {"color_p": 0.0, "grey_p": 0.0, "blur_p": 0.0, "scale_min": 1.0}
    image = window(side=16)
    views = TwoViews(size=16, hflip_p=0.5, vflip_p=0.5, rot90_p=0.75, **still)
    # With a scale of 1 and a square window, the crop is the window up to its aspect ratio.
    positions = {
        k: torch.rot90(image.float() / 255, k % 4, (1, 2)).flip(2) if k > 3
        else torch.rot90(image.float() / 255, k, (1, 2))
        for k in range(8)
    }  # fmt: skip
    found = set()
    for seed in range(120):
        for view in drawn(views, image, seed):
            found |= {k for k, turned in positions.items() if torch.allclose(view, turned)}
    assert found == set(range(8))


def test_the_whole_window_is_resized_and_nothing_else():
    views = TwoViews(size=20)
    assert views.whole(window(side=40)).shape == (3, 20, 20)
    torch.testing.assert_close(views.whole(window(side=20)), window(side=20).float() / 255)


def test_a_large_blur_on_a_small_view_works():
    drawn(TwoViews(size=16, blur_p=1.0, blur_sigma=20.0), window(), 0)


@pytest.mark.parametrize(
    "options", [{"size": 4}, {"scale_min": 0}, {"hflip_p": 2}, {"color_strength": 3}]
)
def test_settings_out_of_range_are_refused(options):
    with pytest.raises(ConfigError, match=f"augmentation.{next(iter(options))}"):
        TwoViews(**options)
