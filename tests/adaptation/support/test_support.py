import pytest
import torch
from tests.fixtures.scene import BASE, NOVEL

from terrashot.adaptation.support.pixels import SupportPixels
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
    support = SupportPixels(features, labels, num_base=3, num_novel=2)
    flat = torch.cat([f.flatten(1) for f in features], dim=1)
    target = torch.cat([label.flatten() for label in labels])
    assert support.counts.tolist() == [int((target == k).sum()) for k in range(5)]
    own = torch.cat([torch.full((f[0].numel(),), 3 + i % 2) for i, f in enumerate(features)])
    for label in range(5):
        members = torch.cat([flat[:, (target == label) & (own == c)] for c in (3, 4)], dim=1)
        found = [*support.of_class(label), torch.empty(7, 0)]
        assert torch.equal(torch.cat(found, dim=1), members)
    assert all(block.pixels.is_contiguous() for block in support.blocks)
    ignored = torch.cat([block.pixels for block in support.ignored], dim=1)
    assert ignored.shape[1] == int((target == 255).sum())
    assert support.num_labelled + ignored.shape[1] == support.num_pixels == len(target)


def test_blocks_know_the_class_their_tiles_were_labelled_for():
    features, labels = tiles()
    labels[0].fill_(0)  # the class was lost by downsampling
    background = {b.tile_class for b in SupportPixels(features[:], labels, 3, 2).blocks}
    assert background == {3, 4, None}
    named = SupportPixels(features, labels, 3, 2, tile_classes=[3, 4, 3])
    assert {(b.label, b.tile_class) for b in named.blocks} == {(0, 3), (0, 4), (3, 3), (4, 4)}


@pytest.mark.parametrize("bad", [[3, 4], [3, 9, 4], [3, 1, 4]])
def test_wrong_tile_classes_are_an_error(bad):
    features, labels = tiles()
    with pytest.raises(DataError, match="labelled for the classes"):
        SupportPixels(features, labels, 3, 2, tile_classes=bad)


def test_tiles_that_a_method_labelled_itself_are_no_shots():
    features, labels = tiles(sizes=((4, 4),) * 3)
    support = SupportPixels(features, labels, 3, 2, num_tiles=2)
    assert support.num_tiles == 2
    assert support.validity((4, 4)).max() == 2


def test_large_classes_are_cut_into_blocks_of_about_equal_length():
    features = torch.randn(1, 64, 300, 300)
    labels = torch.zeros(1, 300, 300, dtype=torch.uint8)
    labels[0, 0, :5] = 1
    labels[0, 1, :5] = 2
    support = SupportPixels(features, labels, 1, 2)
    lengths = [b.pixels.shape[1] for b in support.blocks if b.label == 0]
    assert len(lengths) > 4
    assert max(lengths) - min(lengths) <= 1
    assert sum(lengths) == 300 * 300 - 10


def test_tiles_are_read_one_by_one():
    features, labels = tiles()
    once = SupportPixels((f for f in features), labels, 3, 2)
    both = SupportPixels(features, labels, 3, 2)
    for one, other in zip(once.blocks, both.blocks, strict=True):
        assert torch.equal(one.pixels, other.pixels)
    with pytest.raises(DataError, match="2 feature maps and 3 label maps"):
        SupportPixels((f for f in features[:2]), labels, 3, 2)


def test_a_stack_of_tiles_is_the_same_as_a_list():
    features, labels = tiles(sizes=((4, 4),) * 4)
    as_list = SupportPixels(features, labels, 3, 2)
    stacked = SupportPixels(torch.stack(features), torch.stack(labels), 3, 2)
    for one, other in zip(as_list.blocks, stacked.blocks, strict=True):
        assert torch.equal(one.pixels, other.pixels)


def test_validity_counts_the_tiles_labelled_at_each_place():
    features, labels = tiles(sizes=((4, 4), (4, 4)))
    labels[0][:2] = 255
    labels[0][3, 0] = 3
    support = SupportPixels(features, labels, 3, 2)
    expected = torch.tensor([[1] * 4, [1] * 4, [2] * 4, [2, 2, 2, 0]])
    assert torch.equal(support.validity((4, 4)), expected)
    assert support.validity((8, 8))[::2, ::2].equal(expected)


def test_rms_norm_is_the_root_mean_square_length_of_labelled_pixels():
    features, labels = tiles()
    support = SupportPixels(features, labels, 3, 2)
    lengths = [float(column.norm()) ** 2 for b in support.blocks for column in b.pixels.T]
    assert support.rms_norm == pytest.approx((sum(lengths) / len(lengths)) ** 0.5)


def test_half_precision_becomes_single_unless_it_is_asked_for():
    features, labels = tiles()
    assert SupportPixels([f.half() for f in features], labels, 3, 2).storage == torch.float32
    small = SupportPixels(features, labels, 3, 2, storage=torch.bfloat16)
    assert small.storage == torch.bfloat16
    assert small.like.dtype == torch.float32


def test_one_pixel_and_a_tile_without_labels_are_enough():
    features, labels = tiles(sizes=((4, 4), (4, 4), (4, 4)))
    labels[1].fill_(255)
    labels[2].fill_(0)
    labels[2][1, 1] = 4
    support = SupportPixels(features, labels, 3, 2)
    assert support.counts[4] == 1


def test_a_class_without_a_pixel_is_named_with_the_stride():
    features, labels = tiles(sizes=((4, 4),))
    names = ["background", "tree", "road", "pond", "car"]
    with pytest.raises(DataError, match=r"4 \('car'\).*stride 16.*feature_stride"):
        SupportPixels(features, labels, 3, 2, class_names=names, stride=16)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_features_that_are_not_finite_are_an_error(value):
    features, labels = tiles()
    features[1][2, 0, 0] = value
    with pytest.raises(DataError, match="NaN or infinite"):
        SupportPixels(features, labels, 3, 2)


def test_bad_shapes_labels_and_an_empty_support_are_errors():
    features, labels = tiles()
    with pytest.raises(DataError, match="tile 1 has features"):
        SupportPixels([features[0], features[1][:, :2], features[2]], labels, 3, 2)
    with pytest.raises(DataError, match="3 feature maps and 2 label maps"):
        SupportPixels(features, labels[:2], 3, 2)
    with pytest.raises(DataError, match="no support tiles"):
        SupportPixels([], [], 3, 2)
    labels[2][0, 0] = 9
    with pytest.raises(DataError, match="tile 2 holds label 9"):
        SupportPixels(features, labels, 3, 2)


def test_a_support_without_a_tile_is_the_support_of_the_others(scene):
    """Two tiles a class: what is left is what the other tiles alone would make."""
    found = scene.support.without([1])
    kept = [0, 2, 3]
    alone = SupportPixels(
        [scene.features[i] for i in kept], [scene.labels[i] for i in kept], BASE, NOVEL
    )
    assert found.num_tiles == 3
    assert torch.equal(found.counts, alone.counts)
    assert len(found.blocks) == len(alone.blocks)
    for own, expected in zip(found.blocks, alone.blocks, strict=True):
        assert (own.label, own.tile_class) == (expected.label, expected.tile_class)
        assert torch.equal(own.pixels, expected.pixels)
    assert found.tiles_of(0, 3).unique().tolist() == [0]
    assert scene.support.num_tiles == 4
    thinned = scene.support.without([], every=7)
    for key, parts in scene.support.tile_counts.items():
        total = sum(size for _, size in parts)
        assert sum(size for _, size in thinned.tile_counts[key]) == -(-total // 7)
