"""Signed addresses are cut in the files of a run, and reach its processes all the same."""

import pytest

from terrashot.app.config.compose import compose_settings
from terrashot.app.config.signatures import hand_on
from terrashot.app.config.typed import load_settings, save_settings, to_plain
from terrashot.data.remote.address import RemoteFile
from terrashot.errors import ConfigError, DataError

SIGNED = "https://h.org/a.tif?sv=2024&sig=a,b%2F=c"


@pytest.fixture(autouse=True)
def nothing_handed_on(monkeypatch):
    monkeypatch.setenv("TERRASHOT_ADDRESSES", "{}")


@pytest.fixture
def settings(repository):
    return compose_settings(repository / "configs", ["experiment=predict", f"input={SIGNED}"])


def test_an_address_is_taken_as_typed(settings, repository):
    assert settings.input.path == SIGNED
    images = ["experiment=adapt", f"support.images={SIGNED}", "support.labels=a.gpkg"]
    assert compose_settings(repository / "configs", images).support.images == SIGNED
    several = [*images[:1], "support.images=[a.tif,b.tif]", images[2]]
    found = compose_settings(repository / "configs", several).support.images
    assert list(found) == ["a.tif", "b.tif"]


def test_a_file_of_a_run_has_it_cut_and_its_processes_have_it_whole(
    settings, tmp_path, monkeypatch
):
    path = tmp_path / "config.yaml"
    save_settings(settings, path)
    assert "sig" not in path.read_text()
    assert "sig" not in str(to_plain(settings))
    assert load_settings(path) == settings
    monkeypatch.setenv("TERRASHOT_ADDRESSES", "{}")  # another command, another day
    cut = load_settings(path).input.path
    assert cut == "https://h.org/a.tif?..."
    with pytest.raises(DataError, match="Give the whole address again"):
        RemoteFile.of(cut)


def test_two_addresses_that_are_one_when_cut_are_refused():
    hand_on({"input": SIGNED, "support": {"images": [SIGNED]}})
    with pytest.raises(ConfigError, match="stands for two addresses"):
        hand_on({"input": SIGNED, "support": {"images": ["https://h.org/a.tif?file=2"]}})
