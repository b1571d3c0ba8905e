import pytest
import torch

from terrashot.networks.pyramid import SimplePyramid, level_strides


def test_levels_end_at_the_decoders_depth_and_output_stride():
    assert level_strides(5, 32) == [4, 8, 16, 32]
    assert level_strides(5, 16) == [4, 8, 16, 16]
    assert level_strides(3, 32) == [4, 8]


@pytest.mark.parametrize(
    ("stride", "channels"),
    [(16, [3, 0, 2, 4, 8, 8]), (8, [3, 0, 4, 8, 8, 8]), (32, [3, 0, 1, 2, 4, 8])],
)
def test_finer_levels_halve_the_channels_and_coarser_ones_keep_them(stride, channels):
    pyramid = SimplePyramid(3, 8, stride, [4, 8, 16, 32], {2, 3, 4, 5})
    image = torch.rand(1, 3, 64, 96)
    maps = pyramid(image, torch.rand(1, 8, 64 // stride, 96 // stride))
    assert pyramid.out_channels == channels == [m.shape[1] for m in maps]
    expected = [(64 // s, 96 // s) for s in (1, 2, 4, 8, 16, 32)]
    assert [tuple(m.shape[-2:]) for m in maps] == expected


def test_the_tokens_own_level_is_the_map_and_the_coarser_one_its_maxima():
    pyramid = SimplePyramid(3, 2, 16, [4, 8, 16, 32], {4, 5})
    tokens = torch.arange(8.0).view(1, 2, 2, 2)
    maps = pyramid(torch.rand(1, 3, 32, 32), tokens)
    assert torch.equal(maps[4], tokens)
    assert maps[5].flatten().tolist() == [3.0, 7.0]


def test_a_transposed_convolution_gives_each_token_four_places():
    pyramid = SimplePyramid(3, 2, 16, [4, 8, 16, 32], {3})
    convolution = pyramid.levels[1][0]
    with torch.no_grad():
        convolution.weight.copy_(torch.tensor([[[1.0, 2], [3, 4]], [[0, 0], [0, 1]]])[:, None])
        convolution.bias.fill_(0.5)
        level = pyramid(torch.rand(1, 3, 32, 16), torch.tensor([[[[1.0], [2]], [[10], [20]]]]))[3]
    # The first channel times 1 2 3 4, the second where it counts: at the lower right.
    assert level[0, 0].tolist() == [[1.5, 2.5], [3.5, 14.5], [2.5, 4.5], [6.5, 28.5]]


def test_levels_that_nobody_reads_have_no_parameters_and_no_channels():
    pyramid = SimplePyramid(3, 8, 16, [4, 8], {3})
    assert pyramid.out_channels == [3, 0, 0, 4]
    assert {name.split(".")[1] for name, _ in pyramid.named_parameters()} == {"1"}
    empty = pyramid(torch.rand(1, 3, 32, 32), torch.rand(1, 8, 2, 2))[2]
    assert empty.shape == (1, 0, 8, 8)
