"""Processes of one launch agree on a folder through the store that DDP uses as well."""

import threading

import pytest
from tests.cluster.slurm import free_ports

from terrashot.app.run import meeting
from terrashot.app.run.launch import Launch
from terrashot.app.run.meeting import Meeting
from terrashot.errors import TerrashotError


@pytest.fixture
def launches(monkeypatch):
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(free_ports(1)[0]))
    for name in ("TORCHELASTIC_USE_AGENT_STORE", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    return [Launch("torchrun none", None, "torchrun", 2, rank) for rank in (0, 1)]


def beside(work):
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_all_hear_the_folder_of_the_first(launches, tmp_path):
    heard, met = [], []
    thread = beside(lambda: heard.append(Meeting(launches[1]).hear()))
    met.append(Meeting(launches[0]))
    met[0].tell(tmp_path, finished=False)
    thread.join(30)
    assert heard == [(tmp_path, False)]


def test_a_folder_that_a_node_does_not_see_is_told(launches, tmp_path, monkeypatch):
    monkeypatch.setattr(meeting, "_SECONDS_TO_APPEAR", 0.1)
    said = []

    def listen():
        with pytest.raises(TerrashotError) as error:
            Meeting(launches[1]).hear()
        said.append(str(error.value))

    thread = beside(listen)
    first = Meeting(launches[0])
    first.tell(tmp_path / "elsewhere", finished=False)
    thread.join(30)
    assert "on this node there is none. Put paths.logs on a file system that all nodes" in said[0]


@pytest.mark.parametrize("rank", [0, 1])
def test_who_waits_in_vain_is_told_where_and_for_whom(launches, rank, monkeypatch):
    monkeypatch.setattr(meeting, "_MINUTES", 0.02)
    with pytest.raises(TerrashotError, match=r"2 processes that torchrun .* at 127\.0\.0\.1:\d+"):
        Meeting(launches[rank])
