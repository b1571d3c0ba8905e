import math

import pytest
import torch
from torch.nn import functional

from terrashot.errors import ConfigError
from terrashot.papers.simtrans.losses.domain_adversarial import domain_losses, ramp
from terrashot.papers.simtrans.losses.graph_regularisation import (
    GraphRegularisation,
    relax,
    squared_distances,
)
from terrashot.papers.simtrans.losses.pair_cross_entropy import PairCrossEntropy, pair_targets
from terrashot.papers.simtrans.losses.weighted_cross_entropy import weighted_cross_entropy
from terrashot.papers.simtrans.network.domain_classifier import DomainClassifier

S = torch.tensor([[1, 0.9, 0.2], [0.7, 1, 0.1], [0.3, 0.1, 1]], dtype=torch.float64)
F = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])


def test_simtrans_t04_graph_term_by_inner_products_is_that_of_the_formula():
    distances = squared_distances(F)
    assert torch.allclose(distances, torch.tensor([[0.0, 1, 4], [1, 0, 5], [4, 5, 0]]), atol=1e-6)
    assert float((S * distances).sum()) == pytest.approx(4.6, abs=1e-5)
    labels = torch.tensor([0, 0, 1])
    every = GraphRegularisation(mu=0, normalise=False)
    assert float(every(F, S, labels)) == pytest.approx(0.511111, abs=1e-6)
    assert float(every(F, S.T, labels)) == pytest.approx(0.511111, abs=1e-6)
    same = GraphRegularisation(mu=0, normalise=False, same_label=True)
    assert float(same(F, S, labels)) == pytest.approx(0.177778, abs=1e-6)
    symmetric = (S + S.T) / 2
    laplacian = symmetric.sum(dim=1).diag() - symmetric
    assert float(2 * torch.trace(F.double().T @ laplacian @ F.double())) == pytest.approx(4.6)


def test_the_one_sided_graph_term_relaxes_each_order_by_itself():
    # relax(0.9), relax(0.7), ...: 0.990824, 0.956713; 0.560945, 0.711844; 0.335831 twice.
    by_hand = (1 * (0.990824 + 0.956713) + 4 * (0.560945 + 0.711844) + 5 * 2 * 0.335831) / 9
    published = GraphRegularisation(mu=-4, normalise=False, symmetric=False)
    labels = torch.tensor([0, 0, 1])
    assert float(published(F, S, labels)) == pytest.approx(by_hand, abs=2e-6)
    assert float(published(F, S.T, labels)) == pytest.approx(by_hand, abs=2e-6)
    plain = 0.0
    for i in range(3):
        for j in range(3):
            affinity = math.expm1(-4 * float(S[i, j])) / math.expm1(-4)
            plain += affinity * float((F[i] - F[j]).square().sum()) / 9
    assert float(published(F, S, labels)) == pytest.approx(plain, rel=1e-6)
    symmetric = GraphRegularisation(mu=-4, normalise=False)
    assert float(symmetric(F, S, labels)) == pytest.approx(1.162655, abs=2e-6)


def test_cosines_of_unlike_labels_are_drawn_to_zero_with_eye_0_as_published():
    features = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
    labels = torch.tensor([0, 0, 1])
    options = {"mu": 0, "variant": "cosine", "symmetric": False}
    eye_0 = GraphRegularisation(**options, same_label=True)
    # Affinity 1, 0.9, 0 | 0.7, 1, 0 | 0, 0, 1 against cosines 1, 0.707, 0 | 0.707, 1, 0.707 | ...
    root = math.sqrt(0.5)
    by_hand = ((root - 0.9) ** 2 + (root - 0.7) ** 2 + 2 * 0.5) / 9
    assert float(eye_0(features, S, labels)) == pytest.approx(by_hand, abs=1e-6)
    assert by_hand == pytest.approx(0.115251, abs=1e-6)
    eye_1 = GraphRegularisation(**options)
    assert float(eye_1(features, S, labels)) == pytest.approx(0.100491, abs=1e-6)


@pytest.mark.parametrize("normalise", [True, False])
def test_graph_term_and_its_gradient_equal_the_tensor_of_differences(normalise):
    generator = torch.Generator().manual_seed(0)
    features = (3 + torch.randn(24, 40, generator=generator)).requires_grad_()
    similarity = torch.rand(24, 24, generator=generator)
    labels = torch.zeros(24)
    loss = GraphRegularisation(normalise=normalise)(features, similarity, labels)
    (found,) = torch.autograd.grad(loss, features)
    unit = functional.normalize(features, dim=1) if normalise else features
    difference = unit.unsqueeze(0) - unit.unsqueeze(1)  # [B, B, C]
    affinity = relax((similarity + similarity.T) / 2, -4.0)
    plain = (affinity * difference.square().sum(dim=2)).mean()
    (expected,) = torch.autograd.grad(plain, features)
    assert loss.item() == pytest.approx(plain.item(), rel=1e-5)
    assert torch.allclose(found, expected, atol=1e-5 * float(expected.abs().max()))


def test_the_cosine_variant_is_zero_where_cosines_are_the_affinity():
    features = torch.eye(3)
    loss = GraphRegularisation(mu=0, variant="cosine")
    assert float(loss(features, torch.eye(3), torch.zeros(3))) == pytest.approx(0)
    assert float(loss(features, torch.ones(3, 3), torch.zeros(3))) == pytest.approx(6 / 9)
    with pytest.raises(ConfigError, match="distance or cosine"):
        GraphRegularisation(variant="euclid")


def test_simtrans_t05_relaxed_similarities():
    x = torch.tensor([0, 0.25, 0.5, 0.75, 1], dtype=torch.float64)
    lifted = torch.tensor([0, 0.643914, 0.880797, 0.967941, 1], dtype=torch.float64)
    assert torch.allclose(relax(x, -4), lifted, atol=1e-6)
    lowered = torch.tensor([0, 0.101536, 0.268941, 0.544946, 1], dtype=torch.float64)
    assert torch.allclose(relax(x, 2), lowered, atol=1e-6)
    assert torch.equal(relax(x, 0), x)
    assert torch.allclose(relax(x, 1e-7), x, atol=1e-7)
    assert torch.allclose(relax(x, -1e-7), x, atol=1e-7)


def test_simtrans_t06_weighted_cross_entropy():
    logits = torch.tensor([[2.0, 0], [0, 1], [1, 1]])
    target = torch.tensor([0, 0, 1])
    each = functional.cross_entropy(logits, target, reduction="none")
    assert torch.allclose(each, torch.tensor([0.126928, 1.313262, 0.693147]), atol=1e-6)
    assert float(weighted_cross_entropy(logits, target, torch.ones(3))) == pytest.approx(
        0.711112, abs=1e-6
    )
    savg = torch.tensor([1.160377, 1.075472, 0.764151])
    assert float(weighted_cross_entropy(logits, target, savg)) == pytest.approx(0.696443, abs=1e-6)


def test_simtrans_t09_adversarial_gradients_have_opposite_signs_and_stay_apart():
    assert 0.3 - 0.1 * math.log(2) == pytest.approx(0.230685, abs=1e-6)
    torch.manual_seed(0)
    backbone = torch.nn.Linear(4, 6)
    classifier = DomainClassifier(6)
    units = torch.randn(20, 4)
    pair_features = backbone(units)
    pair_features.retain_grad()
    fooled, told_apart = domain_losses(classifier, pair_features, 8)
    assert torch.equal(fooled, told_apart)
    beta = 0.1
    (-beta * fooled).backward(retain_graph=True)
    assert all(p.grad is None for p in classifier.parameters())
    against = pair_features.grad.clone()
    again = pair_features.detach().requires_grad_()
    targets = (torch.arange(20) >= 8).long()
    functional.cross_entropy(classifier(again), targets).backward()
    assert torch.allclose(against, -beta * again.grad, atol=1e-9)
    classifier.zero_grad()
    before = {n: p.grad.clone() for n, p in backbone.named_parameters()}
    told_apart.backward()
    assert all(torch.equal(p.grad, before[n]) for n, p in backbone.named_parameters())
    assert all(p.grad is not None and bool(p.grad.any()) for p in classifier.parameters())


def test_at_chance_the_domain_loss_is_ln_2_and_the_ramp_rises_from_0():
    classifier = DomainClassifier(6)
    torch.nn.init.zeros_(classifier.layers[3].weight)
    torch.nn.init.zeros_(classifier.layers[3].bias)
    fooled, _ = domain_losses(classifier, torch.randn(10, 6), 5)
    assert float(fooled) == pytest.approx(0.693147, abs=1e-6)
    assert ramp(0) == 0
    assert 0.99 < ramp(1) < 1


def test_pair_loss_counts_what_it_is_told_to():
    labels = torch.tensor([3, 3, 5])
    assert pair_targets(labels).view(3, 3).tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    scores = torch.randn(9, 2, generator=torch.Generator().manual_seed(0))
    plain = functional.cross_entropy(scores, pair_targets(labels))
    assert float(PairCrossEntropy()(scores, labels)) == pytest.approx(float(plain))
    use = torch.eye(3).flatten().bool()
    own = functional.cross_entropy(scores[use], torch.ones(3).long())
    assert float(PairCrossEntropy()(scores, labels, use)) == pytest.approx(float(own))
    assert float(PairCrossEntropy()(scores, labels, torch.zeros(9).bool())) == 0
    by_classes, by_number = (PairCrossEntropy(w)(scores, labels) for w in ("classes", 2.0))
    assert float(by_classes) == pytest.approx(float(by_number))
    with pytest.raises(ConfigError, match="similar_weight"):
        PairCrossEntropy(-1)
