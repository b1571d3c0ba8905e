"""From the command line and the experiment's grid to the jobs of a multirun."""

import pytest

from terrashot.app.sweep.grid import grid_jobs, split_overrides
from terrashot.errors import ConfigError

GRID = {"transition": ["none", "rank_one"], "data.support_draw": [0, 1], "seed": [0]}


def jobs(arguments, grid=GRID):
    return grid_jobs(*split_overrides(arguments), grid)


def test_every_combination_is_a_job_and_all_options_meet_on_a_draw_before_the_next_one():
    found = jobs(["experiment=x"])
    assert [job.overrides for job in found] == [
        ["experiment=x", "data.support_draw=0", "seed=0", "transition=none"],
        ["experiment=x", "data.support_draw=0", "seed=0", "transition=rank_one"],
        ["experiment=x", "data.support_draw=1", "seed=0", "transition=none"],
        ["experiment=x", "data.support_draw=1", "seed=0", "transition=rank_one"],
    ]
    assert found[3].chosen == {"data.support_draw": "1", "seed": "0", "transition": "rank_one"}


def test_the_command_line_wins_over_the_grid_and_adds_to_it():
    found = jobs(["experiment=x", "transition=shared", "seed=range(0,3)", "loss=ce,ldam"])
    assert len(found) == 2 * 3 * 2
    assert all("transition" not in job.chosen for job in found)
    assert {job.chosen["seed"] for job in found} == {"0", "1", "2"}


def test_an_option_may_bring_settings_of_its_own():
    found = jobs([], {"loss": ["ce", "ldam loss.max_margin=0.5"]})
    assert [job.overrides for job in found] == [["loss=ce"], ["loss=ldam", "loss.max_margin=0.5"]]
    assert found[1].chosen == {"loss": "ldam loss.max_margin=0.5"}


def test_null_and_truth_values_are_written_as_a_command_line_takes_them():
    found = jobs([], {"data.support_draw": [None, 0], "trainer.compile": [True]})
    assert [job.overrides[0] for job in found] == ["data.support_draw=null", "data.support_draw=0"]
    assert found[0].overrides[1] == "trainer.compile=true"


def test_quoted_values_with_commas_are_one_value():
    assert [job.overrides for job in jobs(["tags='a,b',c"], {})] == [["tags='a,b'"], ["tags=c"]]


@pytest.mark.parametrize(
    ("arguments", "grid", "said"),
    [
        (["seed=interval(0,1)"], {}, "terrashot search"),
        ([], {"seed": 3}, "a list of values was expected"),
        ([], {"checkpoint": None}, "checkpoint=A,B"),
        (["seed=range(0,200)"], {"a": [*range(60)]}, "12000 jobs"),
        (["seed"], {}, "seed"),
    ],
)
def test_what_is_no_grid_is_explained(arguments, grid, said):
    with pytest.raises(ConfigError, match=said):
        jobs(arguments, grid)
