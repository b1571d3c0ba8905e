import copy

import pytest
import torch
from torch.nn import functional as F

from terrashot.app.config.compose import compose_settings
from terrashot.app.run.build import build_plan
from terrashot.papers.false.losses.calibrated_contrastive import CalibratedContrastive
from terrashot.papers.false.network.embedder import Embedder
from terrashot.papers.false.network.projection_head import ProjectionHead
from terrashot.papers.false.pretraining import ContrastivePretraining
from terrashot.tasks.optimization import OptimizationPlan

# Not Adam: it would blow a gradient of rounding errors up to a whole step.
PLAN = OptimizationPlan("sgd", 0.01, 0.01, 1e-4, 0.9, "constant", 0.0, 0.0)


@pytest.fixture
def settings(repository):
    def compose(*overrides):
        return compose_settings(repository / "configs", list(overrides))

    return compose


def network():
    torch.manual_seed(0)
    return Embedder("mobilenetv2_050", [0.5] * 3, [0.25] * 3, head_hidden=16, head_dim=8).double()


def nt_xent(rows, temperature):
    logits = F.normalize(rows, dim=1) @ F.normalize(rows, dim=1).T / temperature
    logits = logits.masked_fill(torch.eye(len(rows), dtype=torch.bool), -torch.inf)
    return F.cross_entropy(logits, torch.arange(len(rows)).roll(len(rows) // 2))


def test_false_t14_without_alpha_the_weights_go_the_way_of_simclr():
    module = ContrastivePretraining(network(), CalibratedContrastive(alpha=0.0), PLAN)
    module.log = lambda *args, **kwargs: None
    other = copy.deepcopy(module.network)
    optimizers = [PLAN.build_optimizer(n.encoder, [n.head]) for n in (module.network, other)]
    generator = torch.Generator().manual_seed(1)
    start = module.network.head.last.weight.detach().clone()
    for step in range(5):
        views = torch.rand(8, 3, 32, 32, generator=generator, dtype=torch.float64)
        losses = [module.training_step({"views": views}, step), nt_xent(other(views), 0.5)]
        for loss, optimizer in zip(losses, optimizers, strict=True):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        for ours, theirs in zip(
            module.network.state_dict().values(), other.state_dict().values(), strict=True
        ):
            torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-7)
    assert not torch.equal(start, module.network.head.last.weight)


def test_with_alpha_they_go_another_way():
    views = torch.rand(4, 3, 32, 32, dtype=torch.float64).repeat(2, 1, 1, 1)
    losses = []
    for alpha in (0.0, 1.0):
        module = ContrastivePretraining(network(), CalibratedContrastive(alpha=alpha), PLAN)
        module.log = lambda *args, **kwargs: None
        losses.append(float(module.training_step({"views": views}, 0).detach()))
    assert losses[1] < losses[0]


def rates(settings, steps=10_000):
    plan = build_plan(settings)
    weight = torch.nn.Linear(2, 2)
    optimizer = plan.build_optimizer(weight, [])
    schedule = plan.build_schedule(optimizer, steps)
    found = []
    for _ in range(steps):
        found.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return found


def test_false_t13_the_published_schedule(settings):
    lr = rates(settings("experiment=pretrain_false_paper"))
    assert lr[0] == pytest.approx(0.6, abs=1e-3)
    assert lr[500] == pytest.approx(2.7, abs=1e-3)
    assert lr[999] == pytest.approx(4.8, abs=5e-3)  # the last step before the jump
    for share, expected in [
        (0, 3.5968), (0.1, 2.8592), (0.2, 1.2523), (0.334, 0.0048), (0.5, 0.5943),
        (0.668, 1.1949), (0.9, 0.2583), (0.999, 0.0050),
    ]:  # fmt: skip
        assert lr[1000 + round(9000 * share)] == pytest.approx(expected, abs=1e-3), share


def test_the_presets_scale_their_rate_with_the_batch(settings):
    rate = {}
    for optimizer, size in [("adamw_pretrain", 64), ("adamw_pretrain", 512), ("lars", 64),
                            ("lars", 512), ("lars_paper", 64),
                            ("adamw_pretrain_short", 64)]:  # fmt: skip
        composed = settings(
            "experiment=pretrain_false", f"optimizer={optimizer}", f"data.batch_size={size}"
        )
        rate[optimizer, size] = build_plan(composed).lr
    assert rate["adamw_pretrain", 512] == pytest.approx(1e-3)
    assert rate["adamw_pretrain", 64] == pytest.approx(1e-3 / 8)
    assert rate["adamw_pretrain_short", 64] == pytest.approx(1e-3)
    assert rate["lars", 64] == pytest.approx(0.3 / 4)
    assert rate["lars", 512] == pytest.approx(0.6)
    assert rate["lars_paper", 64] == 4.8
    two = settings(
        "experiment=pretrain_false", "optimizer=adamw_pretrain", "strategy=ddp",
        "trainer.devices=2", "data.batch_size=256",
    )  # fmt: skip
    assert build_plan(two).lr == pytest.approx(1e-3)


@pytest.mark.parametrize("norms", [False, True])
def test_lars_scales_the_step_of_each_layer_to_its_weights(norms):
    plan = OptimizationPlan("lars", 1.0, 1.0, 1e-6, 0.0, "constant", 0.0, 0.0, lars_norms=norms)
    layer = torch.nn.Linear(4, 3).double()
    optimizer = plan.build_optimizer(layer, [])
    before = [p.detach().clone() for p in layer.parameters()]
    (1e6 * layer(torch.ones(2, 4, dtype=torch.float64)).square().sum()).backward()
    optimizer.step()
    moved = [
        (p.detach() - b).norm() / b.norm() for p, b in zip(layer.parameters(), before, strict=True)
    ]
    assert float(moved[0]) == pytest.approx(1e-3, rel=1e-3)  # the trust coefficient
    assert (float(moved[1]) == pytest.approx(1e-3, rel=1e-3)) == norms


def test_the_head_without_relu_is_linear():
    torch.manual_seed(0)
    x, y = torch.randn(2, 5, 6)
    for relu in (True, False):
        head = ProjectionHead(6, 4, 3, relu)
        bias = head(torch.zeros(1, 6))
        linear = torch.allclose(head(x + y), head(x) + head(y) - bias, atol=1e-5)
        assert linear != relu
