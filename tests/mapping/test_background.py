import threading

import pytest

from terrashot.mapping.background import WriteBehind


def test_a_stopped_writer_has_written_all_and_leaves_no_thread():
    before = threading.active_count()
    done = []
    for number in range(20):
        writer = WriteBehind()
        writer.submit(lambda number=number: done.append(number))
        writer.stop()
        writer.stop()
    assert done == list(range(20))
    assert threading.active_count() == before


def test_a_writer_that_failed_can_be_stopped():
    def fail():
        raise OSError("full")

    writer = WriteBehind()
    writer.submit(fail)
    with pytest.raises(OSError, match="full"):
        writer.drain()
    writer.stop()
