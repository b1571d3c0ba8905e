import torch

from terrashot.evaluation.calibration import BINS
from terrashot.tasks.query_counts import QueryCounts
from terrashot.tasks.query_tally import QueryTally
from terrashot.taxonomy import Taxonomy

TAXONOMY = Taxonomy.from_dict(
    {"name": "tiny", "background": "background", "base": ["land"], "novel": ["boat"]}
)


def counted(name, right, wrong, seconds):
    confusion = torch.tensor([[0, 0, 0], [0, right, wrong], [0, 0, right]])
    base = torch.tensor([[0, 0, 0], [0, right + wrong, 0], [0, right, 0]])
    ruled = torch.tensor([[0, 0, 0], [0, right + wrong, 0], [0, 0, right]])
    reliability = torch.ones(1, BINS, 3, dtype=torch.float64)
    return QueryCounts(
        name, confusion, base, seconds, False, seconds / 2, ruled[None], reliability=reliability
    )


def tally():
    return QueryTally(TAXONOMY, rules=1, calibrated=False, base_weight=0.4, novel_weight=0.6)


def test_scores_are_of_the_maps_after_the_last_rule():
    whole = tally()
    whole.add(counted("a", 3, 1, 2.0))
    whole.add(counted("b", 5, 0, 4.0))
    result = whole.result(lambda values: values)
    assert whole.queries == result.queries == 2
    assert result.scores.weighted_miou == whole.scores().weighted_miou == 1.0
    assert result.rules[0].tolist() == [[0, 0, 0], [0, 8, 1], [0, 0, 8]]
    assert result.base_scores.novel_miou == 0.0
    assert (result.seconds_per_query, result.adaptation_seconds_per_query) == (3.0, 1.5)


def test_processes_are_summed_before_anything_is_divided():
    alone = tally()
    alone.add(counted("a", 3, 1, 2.0))
    both = alone.result(lambda values: 2 * values)
    assert both.queries == 2
    assert both.seconds_per_query == 2.0
    assert int(both.confusion.sum()) == 2 * 7
    assert float(both.reliability.sum()) == 2 * BINS * 3


def test_counts_of_an_earlier_version_have_no_reliability():
    old = QueryCounts("a", torch.eye(3).long(), torch.eye(3).long(), 1.0, False)
    plain = QueryTally(TAXONOMY, rules=0, calibrated=False, base_weight=0.4, novel_weight=0.6)
    plain.add(old)
    assert float(plain.result(lambda values: values).reliability.sum()) == 0.0
