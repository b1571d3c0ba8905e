import json
import os
import stat

import pytest

from terrashot.files import atomic_write, write_json


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "results.json"
    write_json(path, {"a": 1})
    with pytest.raises(RuntimeError), atomic_write(path) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise RuntimeError
    assert json.loads(path.read_text()) == {"a": 1}
    assert os.listdir(tmp_path) == ["results.json"]


def test_a_new_file_has_the_rights_of_any_new_file(tmp_path):
    plain = tmp_path / "plain"
    plain.touch()
    write_json(tmp_path / "sub" / "new.json", [])
    mode = stat.S_IMODE((tmp_path / "sub" / "new.json").stat().st_mode)
    assert mode == stat.S_IMODE(plain.stat().st_mode)
