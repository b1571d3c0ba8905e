"""A session from the command line: what is refused before anything is served, and one that ends."""

import importlib.util
import json
import shlex
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import shapely
import torch
from tests.fixtures.ground import UTM, grid, on_ground

from terrashot.annotation.finish import Sources, command_lines, finish
from terrashot.annotation.store import LabelStore
from terrashot.annotation.teacher import Teaching
from terrashot.app.config.checks import check_settings
from terrashot.app.config.compose import compose_settings
from terrashot.cli.main import COMMANDS, main
from terrashot.errors import CheckpointError, ConfigError
from terrashot.model.adapted_file import FILE_NAME, load_adapted_model, save_adapted_model
from terrashot.model.model import load
from terrashot.model.stage1_file import KEY, describe

pytest.importorskip("starlette")
import uvicorn


@pytest.fixture
def scene(write_raster):
    pixels = np.random.default_rng(0).integers(1, 255, (3, 64, 96), dtype=np.uint8)
    return write_raster("city.tif", pixels, crs=UTM, transform=grid())


@pytest.fixture
def stage1(make_adapted, tmp_path):
    """The checkpoint of a stage-1 network with random weights."""
    model = make_adapted()
    state = {f"segmenter.{k}": v for k, v in model.segmenter.state_dict().items()}
    path = tmp_path / "base.ckpt"
    header = describe(model.segmenter, model.taxonomy.base_only())
    torch.save({"state_dict": state, KEY: header}, path)
    return path


@pytest.fixture
def composed(repository, tmp_path, scene):
    def compose(*overrides):
        given = [
            "experiment=annotate", f"ckpt={tmp_path / 'a.ckpt'}", f"input={scene}",
            f"labels={tmp_path / 'city.gpkg'}", f"paths.logs={tmp_path}/logs",
        ]  # fmt: skip
        keys = {word.partition("=")[0] for word in overrides}
        kept = [word for word in given if word.partition("=")[0] not in keys]
        return compose_settings(repository / "configs", [*kept, *overrides])

    return compose


def test_short_names_and_paths_with_any_signs(composed, tmp_path):
    settings = composed("labels=a, b=(c).gpkg", "output=out{1}")
    assert settings.labels.path == "a, b=(c).gpkg"
    assert settings.output.path == "out{1}"
    assert settings.annotate.host == "127.0.0.1"


@pytest.mark.parametrize(
    ("override", "error", "words"),
    [
        ("input=null", ConfigError, "input has no value.*terrashot annotate"),
        ("labels=null", ConfigError, "labels has no value"),
        ("ckpt=null", ConfigError, "ckpt has no value"),
        ("annotate.port=70000", ConfigError, "annotate.port"),
        ("annotate.window=8", ConfigError, "annotate.window"),
        ("annotate.sure=2", ConfigError, "annotate.sure"),
        ("annotate.method=magic", ConfigError, "there is no such method"),
        ("ckpt=nowhere.ckpt", CheckpointError, "no such file"),
    ],
)
def test_what_cannot_be_served_is_told_before(composed, override, error, words):
    with pytest.raises(error, match=words):
        check_settings(composed(override))


def test_a_model_that_has_learned_already_is_refused(composed, make_adapted, tmp_path):
    model = make_adapted()
    save_adapted_model(tmp_path / "a.ckpt", model, {})
    with pytest.raises(CheckpointError, match=r"has learned car, pool already.*stage1/latest"):
        check_settings(composed())


def test_a_missing_package_is_named(composed, monkeypatch):
    found = importlib.util.find_spec
    gone = lambda name, *more: None if name == "uvicorn" else found(name, *more)  # noqa: E731
    monkeypatch.setattr("importlib.util.find_spec", gone)
    with pytest.raises(ConfigError, match=r"terrashot\[annotate\]"):
        check_settings(composed())


def test_the_subcommand_is_known_and_says_what_it_takes(capsys):
    assert "annotate" in COMMANDS
    assert main(["annotate"]) == 0
    assert "labels=city.gpkg" in capsys.readouterr().out


def test_a_session_is_served_until_it_is_stopped(stage1, scene, tmp_path, monkeypatch, capsys):
    """From the command line to the file of the labels; the server itself stops at once."""

    def served(self, sockets):
        found["address"] = sockets[0].getsockname()
        with sqlite3.connect(labels) as other:
            found["tables"] = other.execute("SELECT table_name FROM gpkg_contents").fetchall()
        other.close()
        sockets[0].close()
        raise KeyboardInterrupt

    found, labels, logs = {}, tmp_path / "city.gpkg", tmp_path / "logs"
    monkeypatch.setattr(uvicorn.Server, "run", served)
    code = main([
        "annotate", f"ckpt={stage1}", f"input={scene}", f"labels={labels}", f"paths.logs={logs}",
        "annotate.port=0", "trainer.accelerator=cpu",
    ])  # fmt: skip
    printed = capsys.readouterr()
    assert code == 0, printed.err
    assert found["address"][0] == "127.0.0.1"
    assert f"http://127.0.0.1:{found['address'][1]}/" in printed.out.replace("\n", "")
    assert ("labels",) in found["tables"]
    info = next(Path(logs, "annotate").glob("2*/run.json"))
    assert json.loads(info.read_text(encoding="utf-8"))["status"] == "finished"
    assert sorted(p.name for p in tmp_path.glob("city.gpkg*")) == ["city.gpkg"]


def test_the_commands_make_the_same_model_again(stage1, scene, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, teaching = load(stage1), Teaching(window=64)
    store = LabelStore(tmp_path / "my city.gpkg", model.taxonomy.classes, UTM)
    store.add_class(store.version, "pool, deep", "#0102fe")
    for name, shape in {"pool, deep": (5, 5, 30, 30), "road": (50, 5, 90, 40)}.items():
        store.draw(store.version, name, on_ground(shapely.box(*shape)), "rectangle")
    sources = Sources(stage1, str(scene), tmp_path / "out")
    finish(model, store, teaching, sources, lambda *state: None)
    store.close()
    words = shlex.split(command_lines(store, teaching, sources)[0])
    assert words[0] == "terrashot"
    assert main([*words[1:], "logger=csv", "trainer.accelerator=cpu"]) == 0
    first, second = (
        load_adapted_model(tmp_path / "out" / part / FILE_NAME) for part in ("", "again")
    )
    assert first.taxonomy == second.taxonomy
    assert first.taxonomy.novel[0].color == "#0102fe"
    for name, value in first.state_dict().items():
        torch.testing.assert_close(value, second.state_dict()[name])
