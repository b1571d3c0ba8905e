import pytest
import torch

from terrashot.errors import ConfigError
from terrashot.networks.build import build_segmenter
from terrashot.tasks.optimization import OptimizationPlan


def plan(**changes):
    values = {
        "optimizer": "adamw",
        "lr": 1e-3,
        "encoder_lr": 1e-6,
        "weight_decay": 1e-2,
        "momentum": 0.9,
        "scheduler": "cosine",
        "warmup_fraction": 0.1,
        "min_lr": 1e-5,
    }
    return OptimizationPlan(**{**values, **changes})


@pytest.fixture(scope="module")
def segmenter():
    return build_segmenter(
        {
            "backbone": {"name": "mobilenetv2_100"},
            "decoder": {"name": "fpn"},
            "num_classes": 3,
            "mean": [0.5] * 3,
            "std": [0.2] * 3,
        }
    )


def optimizer_of(segmenter, chosen):
    return chosen.build_optimizer(segmenter.encoder, [segmenter.decoder, segmenter.head])


def test_each_parameter_stands_in_exactly_one_group_and_norms_do_not_decay(segmenter):
    optimizer = optimizer_of(segmenter, plan())
    ids = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(ids) == sorted(id(p) for p in segmenter.parameters())
    encoder = {id(p) for p in segmenter.encoder.parameters()}
    for group in optimizer.param_groups:
        for p in group["params"]:
            assert group["lr"] == (1e-6 if id(p) in encoder else 1e-3)
            assert group["weight_decay"] == (1e-2 if p.ndim > 1 else 0.0)


def test_decay_of_every_tensor_is_an_option(segmenter):
    optimizer = optimizer_of(segmenter, plan(decay_all=True))
    assert {group["weight_decay"] for group in optimizer.param_groups} == {1e-2}
    small = sum(p.ndim <= 1 for group in optimizer.param_groups for p in group["params"])
    assert small == sum(p.ndim <= 1 for p in segmenter.parameters()) > 0


def rates(segmenter, chosen, steps=100):
    optimizer = optimizer_of(segmenter, chosen)
    schedule = chosen.build_schedule(optimizer, steps)
    found = []
    for _ in range(steps):
        found.append([g["lr"] for g in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    return torch.tensor(found)


def test_the_schedule_warms_up_and_ends_at_min_lr_from_either_side(segmenter):
    found = rates(segmenter, plan())
    encoder, rest = found[:, 0], found[:, -1]
    assert rest[0] == pytest.approx(1e-4)  # a tenth of the way through ten warm-up steps
    assert rest[9] == pytest.approx(1e-3)
    assert rest[-1] == pytest.approx(1e-5, rel=0.05)
    # As published: the encoder's rate starts below min_lr and rises to it.
    assert encoder[-1] == pytest.approx(1e-5, rel=0.05)
    assert (encoder[10:].diff() >= 0).all()
    assert (rest[10:].diff() <= 0).all()


def test_cosine_equals_torchs_own_without_a_warm_up(segmenter):
    chosen = plan(warmup_fraction=0.0)
    optimizer = optimizer_of(segmenter, chosen)
    torchs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 100, eta_min=1e-5)
    expected = []
    for _ in range(100):
        expected.append([g["lr"] for g in optimizer.param_groups])
        optimizer.step()
        torchs.step()
    assert torch.allclose(rates(segmenter, chosen), torch.tensor(expected), rtol=1e-5, atol=0)


def test_a_schedules_state_is_plain_and_restores(segmenter):
    chosen = plan()
    optimizer = optimizer_of(segmenter, chosen)
    schedule = chosen.build_schedule(optimizer, 50)
    for _ in range(20):
        optimizer.step()
        schedule.step()
    other = chosen.build_schedule(optimizer_of(segmenter, chosen), 50)
    other.load_state_dict(schedule.state_dict())
    assert other.last_epoch == 20
    assert other.get_lr() == schedule.get_lr()


@pytest.mark.parametrize(
    "change",
    [{"optimizer": "adam"}, {"scheduler": "linear"}, {"lr": -1.0}, {"warmup_fraction": 2.0}],
)
def test_a_wrong_value_is_named(change):
    with pytest.raises(ConfigError, match=next(iter(change))):
        plan(**change)


def test_the_step_schedule_halves_the_rate_every_so_many_epochs(segmenter):
    halved = plan(scheduler="step", warmup_fraction=0.0, min_lr=0.0, step_interval=25 / 50)
    found = rates(segmenter, halved)[:, -1]
    assert torch.allclose(found[:50], torch.full((50,), 1e-3, dtype=found.dtype))
    assert torch.allclose(found[50:], torch.full((50,), 5e-4, dtype=found.dtype))
    thirds = plan(scheduler="step", warmup_fraction=0.0, min_lr=0.0, step_interval=20 / 60)
    found = rates(segmenter, thirds, steps=600)[:, -1] / 1e-3
    assert found.tolist() == pytest.approx([1.0] * 200 + [0.5] * 200 + [0.25] * 200)
    never = plan(scheduler="step", warmup_fraction=0.0, min_lr=0.0, step_interval=2.0)
    assert rates(segmenter, never)[-1, -1] == pytest.approx(1e-3)
    with pytest.raises(ConfigError, match=r"scheduler\.step_factor"):
        plan(step_factor=0.0)


def test_plain_sgd_has_no_nesterov_step_and_decays_all(segmenter):
    plain = plan(optimizer="sgd", nesterov=False, decay_all=True)
    optimizer = optimizer_of(segmenter, plain)
    assert {g["nesterov"] for g in optimizer.param_groups} == {False}
    assert {g["weight_decay"] for g in optimizer.param_groups} == {1e-2}
    weight = torch.nn.Parameter(torch.tensor([2.0]))
    bias = torch.nn.Module()
    bias.register_parameter("bias", weight)
    stepped = plain.build_optimizer(torch.nn.Identity(), [bias])
    by_hand, velocity = 2.0, 0.0
    for gradient in (1.0, -3.0, 0.5):
        weight.grad = torch.tensor([gradient])
        stepped.step()
        velocity = 0.9 * velocity + gradient + 1e-2 * by_hand
        by_hand -= 1e-3 * velocity
        assert float(weight) == pytest.approx(by_hand, abs=1e-6)
