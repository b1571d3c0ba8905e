from copy import copy

import pytest
import torch

from terrashot.adaptation.batched_head import BatchedHead
from terrashot.adaptation.method import Query
from terrashot.adaptation.methods.complete import CompleteMethod
from terrashot.adaptation.methods.ridge import Ridge


@pytest.fixture
def heads(scene):
    plain, complete = Ridge(), CompleteMethod(Ridge())
    for method in (plain, complete):
        method.fit_support(scene.snapshot, scene.support)
    return plain.adapt(scene.query), complete


def test_background_is_never_predicted_and_the_others_keep_their_proportions(scene, heads):
    plain, complete = heads
    before = plain.logits(scene.query).softmax(dim=0)
    after = complete.adapt(scene.query).logits(scene.query).softmax(dim=0)
    assert bool((before.argmax(dim=0) == 0).any())
    assert float(after[0].max()) == 0.0
    torch.testing.assert_close(after[1:], before[1:] / before[1:].sum(dim=0), rtol=1e-4, atol=1e-6)


def test_queries_together_and_a_stored_head_say_the_same(scene, heads):
    _, complete = heads
    alone = complete.adapt(scene.query).logits(scene.query)
    (together,) = complete.adapt_together([Query(scene.query)])
    assert torch.equal(together.logits(scene.query), alone)
    stored = BatchedHead(together)(scene.query.unsqueeze(0))[0]
    assert float(stored.softmax(dim=0)[0].max()) == 0.0
    torch.testing.assert_close(stored.softmax(dim=0), alone.softmax(dim=0), rtol=1e-3, atol=1e-5)


def test_a_copy_is_fitted_by_itself(scene, heads):
    _, complete = heads
    before = complete.adapt(scene.query).logits(scene.query)
    other = copy(complete)
    other.fit_support(scene.snapshot, scene.support.weighted({}))
    other.method._head = None
    assert torch.equal(complete.adapt(scene.query).logits(scene.query), before)


def test_the_method_itself_is_as_it_was(scene, heads):
    plain, complete = heads
    inner = complete.method.adapt(scene.query)
    assert torch.equal(inner.parameters["base_bias"], plain.parameters["base_bias"])
    assert complete.name == "ridge"
