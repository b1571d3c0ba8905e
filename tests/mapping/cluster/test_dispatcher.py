"""The queue, with workers that do what the test says and a clock that it moves."""

import pytest

from terrashot.errors import DataError
from terrashot.mapping.cluster.crew import Done, Lost, Ready
from terrashot.mapping.cluster.dispatcher import Dispatcher
from terrashot.mapping.cluster.work import Outcome, Work

MEGA = 1_000_000


def scene(job, pixels=MEGA):
    return [Work(job, None, pixels)]


def parts(job, *rows):
    return [Work(job, span, MEGA) for span in rows]


class Script:
    """Workers that answer each piece of work by ``answer(worker, work, attempt)``.

    It returns an error (empty: done) or raises ``Lost``'s reason as ``ConnectionError``.
    """

    def __init__(self, workers, answer=lambda *_: "", starts=None):
        self.events = [Ready(w) for w in (range(workers) if starts is None else starts)]
        self.answer = answer
        self.log = []
        self.busy = []
        self.time = 0.0
        self.most = 0

    def begin(self, worker, work):
        assert worker not in [w for w, _ in self.busy], "one piece of work at a time"
        self.busy.append((worker, work))
        self.most = max(self.most, len(self.busy))

    def wait(self, seconds):
        if self.events:
            events, self.events = self.events, []
            return events
        self.time += 10.0
        if not self.busy:
            return []
        worker, work = self.busy.pop(0)
        self.log.append((worker, work))
        try:
            error = self.answer(worker, work, sum(w == work for _, w in self.log))
        except ConnectionError as lost:
            self.events.append(Ready(worker))
            return [Lost(worker, str(lost), True)]
        span = 1 if work.rows is None else work.rows[1] - work.rows[0]
        return [Done(worker, Outcome(span, 10.0, {"read": 1.0, "compute": 2.0}, error))]


@pytest.fixture
def dispatch():
    def run(crew, workers, work, retries=2, patience=100.0):
        said, shown = [], []
        found = Dispatcher(
            crew, workers, work, retries, patience, said.append, shown.append, lambda: crew.time
        )
        found.said, found.shown = said, shown
        found.run()
        return found

    return run


def test_every_scene_is_given_once_and_one_at_a_time(dispatch):
    crew = Script(3)
    found = dispatch(crew, 3, [scene(j) for j in range(20)])
    assert sorted(work.job for _, work in crew.log) == list(range(20))
    assert crew.most == 3
    assert {worker for worker, _ in crew.log} == {0, 1, 2}
    assert found.failures == {}
    assert found.stages == {"read": 20.0, "compute": 40.0}
    assert "scenes: 20 done, 0 failed, 0 left; Mpx: 20.0 done" in found.shown[-1]


def test_work_of_a_lost_worker_is_done_by_another_one_at_the_end(dispatch):
    def answer(worker, work, attempt):
        if work.job == 2 and attempt == 1:
            raise ConnectionError("killed by signal 9")
        return ""

    crew = Script(2, answer)
    found = dispatch(crew, 2, [scene(j) for j in range(6)])
    tried = [worker for worker, work in crew.log if work.job == 2]
    assert len(tried) == 2
    assert tried[0] != tried[1]
    assert [work.job for _, work in crew.log][-1] == 2
    assert not found.failures
    assert found.said == [
        f"worker {tried[0]} has ended (killed by signal 9); another one is started"
    ]


def test_a_broken_scene_is_tried_again_listed_and_the_rest_goes_on(dispatch):
    crew = Script(2, lambda _, work, __: "b.tif is damaged" if work.job == 1 else "")
    found = dispatch(crew, 2, [scene(j, 2 * MEGA) for j in range(5)], retries=2)
    assert sum(work.job == 1 for _, work in crew.log) == 3
    assert found.failures == {1: "b.tif is damaged"}
    assert "failed after 3 attempt(s): b.tif is damaged" in found.said
    assert (
        "scenes: 4 done, 1 failed, 0 left; Mpx: 8.0 done, 2.0 failed, 0.0 left" in found.shown[-1]
    )


def test_what_ends_every_worker_is_given_up(dispatch):
    def answer(worker, work, attempt):
        if work.job == 0:
            raise ConnectionError("out of memory")
        return ""

    crew = Script(2, answer)
    found = dispatch(crew, 2, [scene(j) for j in range(4)], retries=1)
    assert found.failures == {0: "its worker has ended: out of memory"}
    assert found.progress.scenes_done == 3


def test_a_single_worker_tries_again_what_it_failed_at(dispatch):
    crew = Script(1, lambda _, work, attempt: "busy" if attempt == 1 else "")
    assert not dispatch(crew, 1, [scene(0), scene(1)]).failures
    assert [work.job for _, work in crew.log] == [0, 1, 0, 1]


def test_files_of_a_divided_scene_follow_its_last_rows_before_anything_else(dispatch):
    crew = Script(2)
    found = dispatch(crew, 2, [parts(0, (0, 4), (4, 8)), *(scene(j) for j in range(1, 6))])
    order = [(work.job, work.rows) for _, work in crew.log]
    assert order[:2] == [(0, (0, 4)), (0, (4, 8))]
    assert (0, None) in order[2:5]
    (files,) = [work for _, work in crew.log if work.job == 0 and work.rows is None]
    assert (files.computed, files.seconds, files.pixels) == (8, 20.0, 0)
    assert found.progress.scenes_done == 6
    assert found.progress.pixels_done == 7 * MEGA


def test_other_rows_of_a_scene_go_on_when_some_fail_and_its_files_are_not_written(dispatch):
    crew = Script(2, lambda _, work, __: "rows 3 to 4 are damaged" if work.rows == (0, 4) else "")
    found = dispatch(crew, 2, [parts(0, (0, 4), (4, 8), (8, 12)), scene(1)], retries=0)
    assert {work.rows for _, work in crew.log if work.job == 0} == {(0, 4), (4, 8), (8, 12)}
    assert found.failures == {0: "rows 3 to 4 are damaged"}
    assert found.progress.scenes_failed == 1


def test_a_worker_that_never_starts_leaves_its_share_to_the_others(dispatch):
    crew = Script(2, lambda _, work, attempt: "once" if attempt == 1 else "", starts=[1])
    assert not dispatch(crew, 2, [scene(j) for j in range(3)]).failures
    assert {worker for worker, _ in crew.log} == {1}


def test_without_any_worker_the_run_ends_and_says_what_to_look_at(dispatch):
    crew = Script(2, starts=[])
    with pytest.raises(DataError, match=r"For 100 seconds \(cluster\.patience\).*`ray status`"):
        dispatch(crew, 2, [scene(0)])
    assert 100 < crew.time < 130


def test_when_no_worker_can_start_the_causes_are_listed_once(dispatch):
    crew = Script(2, starts=[])
    why = "a worker has terrashot 0.1"
    crew.events = [Lost(0, why, False), Lost(1, why, False)]
    with pytest.raises(DataError, match="No worker is left") as raised:
        dispatch(crew, 2, [scene(0)])
    assert str(raised.value).count(why) == 1
