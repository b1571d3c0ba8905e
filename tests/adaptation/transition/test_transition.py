import torch

from terrashot.adaptation.objective.pixel_logits import full_logits
from terrashot.adaptation.support.scaling import FeatureScale, unscaled
from terrashot.adaptation.transition.none import NoTransition
from terrashot.adaptation.transition.rank_one import RankOneTransition

BASE, NOVEL, CHANNELS, PIXELS = 3, 2, 6, 9


def parameters(transition, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    values = {
        "base_weight": draw(BASE, CHANNELS),
        "base_bias": draw(BASE),
        "novel_weight": draw(NOVEL, CHANNELS),
        "novel_bias": draw(NOVEL),
    }
    start = transition.initial(BASE, BASE + NOVEL, CHANNELS, generator)
    return {**values, **{name: draw(*value.shape) for name, value in start.items()}}


def test_rank_one_equals_the_matrix_of_each_pixel():
    values = parameters(RankOneTransition())
    pixels = torch.randn(CHANNELS, PIXELS, dtype=torch.float64)
    snapshot = torch.randn(BASE, CHANNELS, dtype=torch.float64)
    _, found = full_logits(values, RankOneTransition(), pixels, snapshot @ pixels, unscaled(pixels))
    for p in range(PIXELS):
        x = pixels[:, p]
        columns = values["col_weight"] @ x + values["col_bias"]
        rows = values["row_weight"] @ x + values["row_bias"]
        matrix = torch.outer(columns, rows)  # [K, B]
        assert torch.allclose(found[:, p], values["layer_scale"] * (matrix @ (snapshot @ x)))


def test_the_start_adds_nothing_and_is_drawn_from_the_generator_alone():
    transition = RankOneTransition(std=0.5)

    def start(seed):
        return transition.initial(BASE, 5, 400, torch.Generator().manual_seed(seed))

    torch.manual_seed(1)
    first = start(3)
    torch.manual_seed(2)
    assert all(torch.equal(first[name], value) for name, value in start(3).items())
    assert not torch.equal(first["col_weight"], start(4)["col_weight"])
    assert 0.45 < float(first["col_weight"].std()) < 0.55
    assert first["layer_scale"].abs().max() == 0


def test_no_transition_leaves_the_classifier_as_it_is():
    values = parameters(NoTransition())
    pixels = torch.randn(CHANNELS, PIXELS, dtype=torch.float64)
    classification, transition = full_logits(
        values, NoTransition(), pixels, pixels[:BASE], unscaled(pixels)
    )
    weight = torch.cat([values["base_weight"], values["novel_weight"]])
    bias = torch.cat([values["base_bias"], values["novel_bias"]])
    assert torch.allclose(classification, weight @ pixels + bias.unsqueeze(1))
    assert float(transition) == 0.0


def test_a_scale_is_the_same_as_scaled_features():
    transition = RankOneTransition()
    values = parameters(transition)
    pixels = torch.randn(CHANNELS, PIXELS, dtype=torch.float64)
    scores = torch.randn(BASE, PIXELS, dtype=torch.float64)
    factor, mean = torch.rand(CHANNELS).double() + 0.5, torch.randn(CHANNELS).double()
    scale = FeatureScale(factor, mean)
    found = full_logits(values, transition, pixels, scores, scale)
    scaled = (pixels - mean.unsqueeze(1)) * factor.unsqueeze(1)
    expected = full_logits(values, transition, scaled, scores, unscaled(pixels))
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other)
    weight, bias = scale.to_raw(*scale.from_raw(values["base_weight"], values["base_bias"]))
    assert torch.allclose(weight, values["base_weight"])
    assert torch.allclose(bias, values["base_bias"])
