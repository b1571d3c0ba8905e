"""A job is the same one where its numbers are, and another one where they are not."""

import json
from copy import deepcopy

import pytest

from terrashot.app.config.compose import compose_settings
from terrashot.app.sweep.identity import _differing, job_identity


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "test.json").write_text(json.dumps({"query_set": ["a.tif"]}))
    (folder / "support_pool.json").write_text("{}")
    return folder


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "best.ckpt"
    path.write_bytes(b"weights")
    return path


@pytest.fixture(scope="module")
def composed(repository):
    return compose_settings(repository / "configs", ["experiment=stage2"])


@pytest.fixture
def identity(composed, root, checkpoint):
    """The identity of a stage-2 job with some settings changed, given by dotted keys."""

    def of(**changes):
        settings = deepcopy(composed)
        fixed = {"data.demo_seed": None, "data.root": str(root), "checkpoint": str(checkpoint)}
        for key, value in {**fixed, **changes}.items():
            *groups, name = key.split(".")
            part = settings
            for group in groups:
                part = part[group] if isinstance(part, dict) else getattr(part, group)
            if isinstance(part, dict):
                part[name] = value
            else:
                setattr(part, name, value)
        return job_identity(settings)

    return of


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("paths.logs", "elsewhere"),
        ("data.num_workers", 3),
        ("trainer.accelerator", "cpu"),
        ("trainer.devices", 2),
        ("adaptation.panels", 0),
        ("adaptation.feature_cache", 0),
        ("logger.wandb", False),
        ("sweep.fresh", True),
        ("tags", ["a"]),
        ("optimized_metric", "test/weighted_miou"),
    ],
)
def test_machine_place_and_looks_make_no_other_job(identity, key, value):
    assert identity(**{key: value}) == identity()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", 1),
        ("data.support_draw", 0),
        ("data.split", "val"),
        ("loss", None),
        ("solver.iterations", 3),
        ("adaptation.feature_stride", 16),
        ("trainer.precision", "bf16-mixed"),
        ("method.name", "other"),
    ],
)
def test_what_changes_a_score_makes_another_job(identity, key, value):
    assert identity(**{key: value}) != identity()


def test_the_checkpoint_counts_by_its_content(identity, checkpoint, tmp_path):
    copy = tmp_path / "copy.ckpt"
    copy.write_bytes(checkpoint.read_bytes())
    first = identity()
    assert identity(checkpoint=str(copy)) == first
    copy.write_bytes(b"other weights")
    assert identity(checkpoint=str(copy)) != first


def test_lists_of_tiles_count_by_their_content(identity, root):
    first, drawn = identity(), identity(**{"data.support_draw": 0})
    (root / "support_pool.json").write_text('{"4": []}')
    assert identity() == first
    assert identity(**{"data.support_draw": 0}) != drawn
    (root / "test.json").write_text(json.dumps({"query_set": ["b.tif"]}))
    assert identity() != first


def test_a_value_at_its_default_is_not_part_of_the_name(composed, identity):
    """So that a key which is added later makes no finished job a stranger."""
    settings = deepcopy(composed)
    del settings.solver["iterations"]
    assert _differing(settings)["solver"].keys() < _differing(composed)["solver"].keys()
    kept = set(_differing(composed)["adaptation"])
    assert "queries_per_pass" not in kept  # 4, as in its definition
    assert "base_weight" not in kept
    assert identity(**{"adaptation.queries_per_pass": 2}) != identity()
