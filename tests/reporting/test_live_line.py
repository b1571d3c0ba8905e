import io

from rich.console import Console

from terrashot.reporting.live_line import LiveLine


def test_a_file_gets_a_line_now_and_then_and_the_last_one():
    time, out = [0.0], io.StringIO()
    with LiveLine(Console(file=out, width=40), every=30, now=lambda: time[0]) as line:
        for second in range(100):
            time[0] = float(second)
            line.show(f"{second} [of] 100 done, and a line that is longer than the console")
            if second == 50:
                line.say("worker 3 has ended")
    found = [text.split(",")[0] for text in out.getvalue().splitlines()]
    assert found == [
        "30 [of] 100 done",
        "worker 3 has ended",
        "60 [of] 100 done",
        "90 [of] 100 done",
        "99 [of] 100 done",
    ]


def test_a_terminal_has_the_line_live_and_the_last_one_stays():
    out = io.StringIO()
    with LiveLine(Console(file=out, width=60, force_terminal=True)) as line:
        line.show("1 [of] 2")
        line.show("2 [of] 2")
    erased = "\x1b[2K"
    assert out.getvalue().endswith(f"{erased}2 [of] 2\n")


def test_nothing_is_printed_where_nothing_was_shown():
    out = io.StringIO()
    with LiveLine(Console(file=out)):
        pass
    assert out.getvalue() == ""
