from terrashot.mapping.cluster.progress import Progress


def test_rate_and_time_left_count_from_the_first_work_on():
    time = [0.0]
    progress = Progress(scenes=10, pixels=20_000_000, now=lambda: time[0])
    time[0] = 300.0  # workers start
    assert progress.rate == 0
    assert progress.seconds_left is None
    progress.begin()
    time[0] = 310.0
    progress.begin()  # counts once
    progress.pixels_done, progress.scenes_done = 5_000_000, 2
    progress.pixels_failed, progress.scenes_failed = 1_000_000, 1
    assert progress.rate == 0.5
    assert progress.seconds_left == 28.0
    assert progress.line(3, 4) == (
        "scenes: 2 done, 1 failed, 7 left; Mpx: 5.0 done, 1.0 failed, 14.0 left; "
        "0.50 Mpx/s, about 0:00:28 left; 3 of 4 workers"
    )
