import pytest
import torch

from terrashot.adaptation.transition.full import FullTransition
from terrashot.adaptation.transition.rank_one import RankOneTransition
from terrashot.adaptation.transition.shared import SharedTransition
from terrashot.errors import ConfigError


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_full_equals_the_matrix_of_each_pixel():
    factors, scores = draw(3, 9, seed=1), draw(4, 9, seed=2)
    values = {"matrices": draw(3, 6, 4, seed=3), "layer_scale": draw(6, seed=4)}
    found = FullTransition(rank=3).logits(values, factors, scores)
    for p in range(9):
        matrix = sum(factors[j, p] * values["matrices"][j] for j in range(3))  # [K, B]
        assert torch.allclose(found[:, p], values["layer_scale"] * (matrix @ scores[:, p]))


def test_full_holds_rank_one_whose_rows_do_not_look_at_the_pixel():
    columns, rows, scores, scale = draw(6, 9, seed=1), draw(4, seed=2), draw(4, 9), draw(6, seed=3)
    maps = torch.cat([columns, rows.unsqueeze(1).expand(4, 9)])
    expected = RankOneTransition().logits({"layer_scale": scale}, maps, scores)
    matrices = torch.eye(6).double().unsqueeze(2) * rows  # A_j = e_j rows
    found = FullTransition(rank=6).logits(
        {"layer_scale": scale, "matrices": matrices}, columns, scores
    )
    assert torch.allclose(found, expected)


def test_full_of_rank_1_with_a_constant_factor_is_shared():
    shared, scores = SharedTransition(), draw(3, 9)
    values = {"matrix_logits": draw(5, 3, seed=1), "layer_scale": draw(5, seed=2)}
    found = FullTransition(rank=1).logits(
        {"matrices": shared.matrix(values)[None], "layer_scale": values["layer_scale"]},
        torch.ones(1, 9).double(),
        scores,
    )
    assert torch.allclose(found, shared.logits(values, scores[:0], scores))


def test_the_start_is_drawn_from_the_generator_alone():
    def start(seed):
        return FullTransition(rank=2, std=0.5).initial(
            3, 5, 400, torch.Generator().manual_seed(seed)
        )

    first = start(3)
    assert all(torch.equal(first[name], value) for name, value in start(3).items())
    assert not torch.equal(first["matrices"], start(4)["matrices"])
    assert 0.45 < float(first["factor_weight"].std()) < 0.55


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rank": 0}, r"transition\.rank is 0.*whole number from 1"),
        ({"rank": 2.5}, r"transition\.rank is 2\.5"),
        ({"std": 0.0}, r"transition\.std is 0\.0.*above 0"),
    ],
)
def test_a_bad_option_is_named(options, message):
    with pytest.raises(ConfigError, match=message):
        FullTransition(**options)


def test_rank_one_refuses_a_start_without_spread():
    with pytest.raises(ConfigError, match=r"transition\.std is -1"):
        RankOneTransition(std=-1)
