"""What is done while nobody waits: windows of what is on the screen, then the places of all."""

import threading
import time

import numpy as np
import pytest
from tests.annotation.conftest import box

from terrashot.annotation.background import Background
from terrashot.annotation.feature_memory import RememberingNetwork
from terrashot.annotation.overlay import Cell
from terrashot.annotation.turns import Turns
from terrashot.errors import DataError


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr("terrashot.annotation.session._SOON", 0.0)
    monkeypatch.setattr("terrashot.annotation.session._QUIET", 0.0)


@pytest.fixture
def passes(monkeypatch):
    """Sizes of all windows that the network sees for labels."""
    seen, extract = [], RememberingNetwork.extract

    def noted(self, image, *more):
        seen.append(tuple(image.shape[2:]))
        return extract(self, image, *more)

    monkeypatch.setattr(RememberingNetwork, "extract", noted)
    return seen


def until(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def draw(session, stroke):
    session.draw(session.store.version, 0, "pool", stroke)


def test_a_stroke_on_the_screen_takes_no_pass_of_the_network(passes, session, open_session):
    session.start()
    for row in range(2):
        for column in range(2):
            session.cell(Cell(0, row, column))
    until(lambda: session.places()[0] == 1)
    seen = len(passes)
    assert passes == [(64, 64)] * 9  # at multiples of 32 in 128 x 128 pixels
    for stroke in (box(10, 10, 50, 40), box(50, 50, 80, 70), box(70, 20, 120, 60)):
        draw(session, stroke)
        taught = session.teach().taught
    assert len(passes) == seen
    session.close()
    alone = open_session()
    same = alone.teach().taught
    assert len(passes) > seen
    for name, value in same.network.head.state_dict().items():
        np.testing.assert_array_equal(value, taught.network.head.state_dict()[name])


def test_windows_ahead_leave_room_for_others(passes, open_session):
    session = open_session(memory=1)
    session.store.add_class(session.store.version, "pool")
    session.start()
    session.cell(Cell(0, 0, 0))
    until(lambda: session.places()[0] == 1)
    for column in range(3):
        session.cell(Cell(0, 1, column))
    kept = session._memory.megabytes
    assert kept <= 1
    draw(session, box(10, 10, 50, 40))
    session.teach()
    (size,) = {v.nbytes for k, v in session._memory._kept.items() if k[0] == "support"}
    assert len(passes) <= (2**20 // size) // 2 + 1


def test_the_background_waits_for_a_stroke_and_its_head(session, monkeypatch):
    monkeypatch.setattr("terrashot.annotation.session._QUIET", 30.0)
    session._turns._last -= 60  # nobody has used the network for a minute
    draw(session, box(10, 10, 50, 40))
    session.start()
    time.sleep(0.3)
    assert session.places()[0] == 0
    session._turns._last -= 60
    session._background.wake()
    until(lambda: session.places()[0] == 1)


@pytest.fixture
def lessons(session, monkeypatch):
    """Versions of the labels that heads were made of."""
    seen, teach = [], session._teacher.teach

    def noted():
        seen.append(session.store.version)
        return teach()

    monkeypatch.setattr(session._teacher, "teach", noted)
    return seen


def test_a_head_is_made_while_the_page_waits_for_more(session, lessons):
    session.start()
    draw(session, box(10, 10, 50, 40))
    session.prepare()
    until(lambda: session._prepared)
    assert session.head.number == 0  # nobody has asked for it
    assert session.cell(Cell(0, 0, 0))[0] == 0
    head = session.teach()
    assert head.number == 1
    assert lessons == [head.taught.version] == [session.store.version]
    session.prepare()
    until(lambda: not session._wanted)
    assert session.teach() is head
    assert len(lessons) == 1


def test_a_head_that_was_made_too_early_is_not_taken(session, lessons):
    session.start()
    draw(session, box(10, 10, 50, 40))
    session.prepare()
    until(lambda: session._prepared)
    draw(session, box(50, 50, 80, 70))
    head = session.teach()
    assert head.taught.version == session.store.version == lessons[-1]
    assert len(lessons) == 2


@pytest.mark.parametrize("error", [DataError("no such image"), MemoryError("no such image")])
def test_labels_that_cannot_teach_are_told_to_who_asks(session, monkeypatch, error):
    asked = []

    def fail():
        asked.append(session.store.version)
        raise error

    monkeypatch.setattr(session._teacher, "teach", fail)
    session.start()
    draw(session, box(10, 10, 50, 40))
    session.prepare()
    until(lambda: asked)
    until(lambda: session.places()[0] == 1)  # the background goes on
    assert len(asked) == 1
    assert not session.trouble
    with pytest.raises(type(error), match="no such image"):
        session.teach()


def test_a_scene_that_disappears_is_told_once(session, scene_file):
    session.cell(Cell(0, 0, 0))
    scene_file.unlink()
    session.start()
    until(lambda: "does not exist" in session.trouble)
    until(lambda: session._piece() is None)


def test_the_background_ends_whenever_it_is_stopped():
    """Stopped between its last look and the moment at which it begins to wait."""
    turns = Turns()
    background = Background(turns, lambda: None)

    class Late(threading.Event):
        def clear(self):
            background._stopped = True
            self.set()
            super().clear()

    background._woken = Late()
    background.start()
    background._thread.join(10)
    assert not background._thread.is_alive()
    turns.close()
