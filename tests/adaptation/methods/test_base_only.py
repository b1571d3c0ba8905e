import torch
from tests.fixtures.heads import plain_map

from terrashot.adaptation.methods.base_only import BaseOnly


def test_base_only_is_the_stage_1_map(scene):
    method = BaseOnly(loss=object(), solver=None)
    method.fit_support(scene.snapshot, scene.support)
    head = method.adapt(scene.query)
    logits = head.logits(scene.query)
    assert logits.shape == (5, 10, 10)
    assert torch.allclose(logits[:3], scene.snapshot.logits(scene.query))
    classes, probabilities = plain_map(
        head, scene.query, (20, 20), stride=2, return_probabilities=True
    )
    assert classes.max() < 3
    assert probabilities[3:].abs().max() == 0
    assert torch.allclose(probabilities.sum(dim=0), torch.ones(20, 20).double())
