import pytest
import torch

from terrashot.adaptation.transition.shared import SharedTransition
from terrashot.errors import ConfigError

SIMILARITY = torch.tensor([[0.0, 0.2], [0.9, 0.3], [0.1, 0.5]], dtype=torch.float64)


def start(transition, similarity=SIMILARITY):
    return transition.initial(3, 5, 6, torch.Generator(), similarity)


def test_rows_begin_at_the_identity_and_the_similarity():
    matrix = SharedTransition(smoothing=1e-9).matrix(start(SharedTransition(smoothing=1e-9)))
    expected = torch.cat([torch.eye(3).double(), SIMILARITY.T])
    assert torch.allclose(matrix, expected, atol=1e-8)
    uniform = start(SharedTransition(), None)["matrix_logits"][3:].softmax(dim=1)
    assert torch.allclose(uniform, torch.full((2, 3), 1 / 3).double())


@pytest.mark.parametrize(("normalise", "dim"), [("rows", 1), ("columns", 0)])
def test_the_matrix_is_normalised_as_asked_and_keeps_its_pattern(normalise, dim):
    transition = SharedTransition(normalise)
    matrix = transition.matrix(start(transition))
    assert torch.allclose(matrix.sum(dim=dim), torch.ones(matrix.shape[1 - dim]).double())
    assert matrix[:3].argmax(dim=1).tolist() == [0, 1, 2]
    assert matrix[3:].argmax(dim=1).tolist() == [1, 2]


def test_logits_are_those_of_the_matrix_times_the_scores():
    transition = SharedTransition()
    values = start(transition)
    values["layer_scale"] = torch.arange(5).double()
    scores = torch.randn(3, 7, dtype=torch.float64)
    found = transition.logits(values, scores[:0], scores)
    for k in range(5):
        assert torch.allclose(found[k], k * (transition.matrix(values)[k] @ scores))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"normalise": "both"}, r"transition\.normalise is 'both'.*rows.*columns"),
        ({"smoothing": 0.0}, r"transition\.smoothing is 0\.0.*above 0"),
        ({"smoothing": "much"}, r"transition\.smoothing is much"),
    ],
)
def test_a_bad_option_is_named(options, message):
    with pytest.raises(ConfigError, match=message):
        SharedTransition(**options)


def test_a_similarity_of_another_orientation_is_refused():
    with pytest.raises(ValueError, match=r"\(2, 3\).*\[base, novel\]"):
        start(SharedTransition(), SIMILARITY.T)
