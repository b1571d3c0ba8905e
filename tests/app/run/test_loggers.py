from terrashot.app.run.folder import RunFolder
from terrashot.app.run.loggers import _csv_logger


def test_a_metrics_file_that_a_kill_cut_short_goes_on_with_whole_rows(tmp_path):
    (tmp_path / "metrics.csv").write_text('"a, b",epoch,step\r\n1,0,5\r\n2,1,10\r\n3,')
    logger = _csv_logger(RunFolder(tmp_path))
    logger.log_metrics({"a, b": 3.0, "epoch": 2, "new": 7.0}, step=15)
    logger.save()
    lines = (tmp_path / "metrics.csv").read_text().splitlines()
    assert lines == ['"a, b",epoch,new,step', "1,0,,5", "2,1,,10", "3.0,2,7.0,15"]
