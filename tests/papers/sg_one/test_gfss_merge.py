import torch

from terrashot.papers.sg_one.evaluation.gfss_merge import merge_novel


def test_sg_one_t13_novel_classes_take_pixels_above_the_threshold_only():
    base = torch.tensor([0, 0, 3, 7])
    scores = torch.tensor(
        [[0.1, 0.6, 0.2, 0.9], [0.4, 0.7, 0.5, 0.1], [0.5, 0.1, 0.2, 0.1], [0.0, 0.2, 0.1, 0.95]]
    )
    merged = merge_novel(base.view(1, 4), scores.view(4, 1, 4), num_base=8, tau=0.5)
    assert merged.tolist() == [[0, 9, 3, 11]]  # exactly tau is not above it
    strict = merge_novel(base.view(1, 4), scores.view(4, 1, 4), num_base=8, tau=0.92)
    assert strict.tolist() == [[0, 0, 3, 11]]
