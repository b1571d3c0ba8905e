import pytest
import torch

from terrashot.adaptation.support import SupportFeatures
from terrashot.errors import DataError


def tiles(seed=0, sizes=((4, 5), (3, 3), (6, 2))):
    generator = torch.Generator().manual_seed(seed)
    features, labels = [], []
    for number, size in enumerate(sizes):
        features.append(torch.randn(7, *size, generator=generator))
        label = torch.zeros(size, dtype=torch.uint8)
        label[:2, :2] = 3 + number % 2
        label[-1, -1] = 255
        labels.append(label)
    return features, labels


def test_tiles_of_unlike_sizes_become_blocks_sorted_by_label():
    features, labels = tiles()
    support = SupportFeatures(features, labels, num_base=3, num_novel=2)
    flat = torch.cat([f.flatten(1) for f in features], dim=1)
    target = torch.cat([label.flatten() for label in labels])
    assert support.counts.tolist() == [int((target == k).sum()) for k in range(5)]
    blocks = support.pixels.split(support.counts.tolist(), dim=1)
    for index, block in enumerate(blocks):
        assert torch.equal(block, flat[:, target == index])
    ignored = support.all_pixels[:, support.pixels.shape[1] :]
    assert torch.equal(ignored, flat[:, target == 255])


def test_a_stack_of_tiles_is_the_same_as_a_list():
    features, labels = tiles(sizes=((4, 4),) * 4)
    as_list = SupportFeatures(features, labels, 3, 2)
    stacked = SupportFeatures(torch.stack(features), torch.stack(labels), 3, 2)
    assert torch.equal(as_list.pixels, stacked.pixels)


def test_validity_counts_the_tiles_labelled_at_each_place():
    features, labels = tiles(sizes=((4, 4), (4, 4)))
    labels[0][:2] = 255
    labels[0][3, 0] = 3
    support = SupportFeatures(features, labels, 3, 2)
    expected = torch.tensor([[1] * 4, [1] * 4, [2] * 4, [2, 2, 2, 0]])
    assert torch.equal(support.validity((4, 4)), expected)
    assert support.validity((8, 8))[::2, ::2].equal(expected)


def test_rms_norm_is_the_root_mean_square_length_of_labelled_pixels():
    features, labels = tiles()
    support = SupportFeatures(features, labels, 3, 2)
    lengths = [float(column.norm()) ** 2 for column in support.pixels.T]
    assert support.rms_norm == pytest.approx((sum(lengths) / len(lengths)) ** 0.5)


def test_half_precision_becomes_single():
    features, labels = tiles()
    support = SupportFeatures([f.half() for f in features], labels, 3, 2)
    assert support.pixels.dtype == torch.float32


def test_one_pixel_and_a_tile_without_labels_are_enough():
    features, labels = tiles(sizes=((4, 4), (4, 4), (4, 4)))
    labels[1].fill_(255)
    labels[2].fill_(0)
    labels[2][1, 1] = 4
    support = SupportFeatures(features, labels, 3, 2)
    assert support.counts[4] == 1


def test_a_class_without_a_pixel_is_named_with_the_stride():
    features, labels = tiles(sizes=((4, 4),))
    names = ["background", "tree", "road", "pond", "car"]
    with pytest.raises(DataError, match=r"4 \('car'\).*stride 16.*feature_stride"):
        SupportFeatures(features, labels, 3, 2, class_names=names, stride=16)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_features_that_are_not_finite_are_an_error(value):
    features, labels = tiles()
    features[1][2, 0, 0] = value
    with pytest.raises(DataError, match="NaN or infinite"):
        SupportFeatures(features, labels, 3, 2)


def test_bad_shapes_labels_and_an_empty_support_are_errors():
    features, labels = tiles()
    with pytest.raises(DataError, match="tile 1 has features"):
        SupportFeatures([features[0], features[1][:, :2], features[2]], labels, 3, 2)
    with pytest.raises(DataError, match="3 feature maps and 2 label maps"):
        SupportFeatures(features, labels[:2], 3, 2)
    with pytest.raises(DataError, match="at least one tile"):
        SupportFeatures([], [], 3, 2)
    labels[2][0, 0] = 9
    with pytest.raises(DataError, match="tile 2 holds label 9"):
        SupportFeatures(features, labels, 3, 2)
