import pytest

from terrashot.errors import ConfigError
from terrashot.papers.sg_one.network.build import build_sg_one
from terrashot.papers.sg_one.training.optimizer import FaithfulPlan


def test_sg_one_t10_every_parameter_is_in_exactly_one_group():
    network = build_sg_one({"backbone": {"name": "sg_one_vgg16"}, "decoder": None})
    optimizer = FaithfulPlan(lr=1e-5, weight_decay=5e-4, momentum=0.99).build_optimizer(network)
    rates = {}
    for group in optimizer.param_groups:
        assert (group["momentum"], group["weight_decay"]) == (0.99, 5e-4)
        for parameter in group["params"]:
            assert id(parameter) not in rates
            rates[id(parameter)] = group["lr"]
    names = dict(network.named_parameters())
    assert set(rates) == {id(p) for p in names.values()}
    for name, parameter in names.items():
        factor = 10 if name.startswith("guidance_head.") else 1
        factor *= 2 if name.endswith(".bias") else 1
        assert rates[id(parameter)] == pytest.approx(1e-5 * factor), name
    assert len(optimizer.param_groups) == 4


def test_the_groups_hold_for_any_trunk():
    description = {"backbone": {"name": "mobilenetv2_035"}, "decoder": {"name": "fpn"}}
    network = build_sg_one(description)
    optimizer = FaithfulPlan(1e-5, 0.0, 0.99).build_optimizer(network)
    grouped = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in network.parameters())


def test_numbers_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="momentum"):
        FaithfulPlan(1e-5, 5e-4, 1.0)
