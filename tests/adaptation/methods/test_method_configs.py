"""The methods as configurations: each composes, builds and adapts."""

import shutil

import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.errors import DataError

GROUPS = ["similarity", "transition", "loss", "transduction", "solver"]
OTHERS = ["inference", "method"]  # a method chooses among those before it


@pytest.fixture
def composed(repository, tmp_path):
    """Compose the stage-2 groups alone, as the whole configuration does."""
    for group in [*GROUPS, *OTHERS]:
        shutil.copytree(repository / "configs" / group, tmp_path / group)
    defaults = [
        {"loss": "ce"},
        *({g: None} for g in GROUPS if g != "loss"),
        *({g: None} for g in OTHERS),
    ]
    (tmp_path / "run.yaml").write_text(yaml.safe_dump({"defaults": defaults}))

    def build(*overrides):
        with initialize_config_dir(str(tmp_path), version_base="1.3"):
            config = OmegaConf.to_container(compose("run", overrides=list(overrides)))
        parts = {
            group: instantiate(config[group], _convert_="all") if config.get(group) else None
            for group in GROUPS
        }
        return instantiate(config["method"], **parts, _convert_="all")

    return build


SCALE_FREE = [
    "terrashot",
    "terrashot_query",
    "classtrans",
    "diam",
    "linear",
    "partial_label",
    "ridge",
    "imprinting",
    "base_only",
]


@pytest.mark.parametrize("name", SCALE_FREE)
def test_a_scale_free_method_gives_the_same_map_at_any_feature_length(composed, scene, name):
    maps = []
    for factor in (1.0, 0.01, 100.0):
        method = composed(f"method={name}")
        assert method.name == name
        moved = scene.scaled(factor)
        counts = moved.support.counts[:3].double() + 1
        method.fit_support(moved.snapshot, moved.support, base_counts=counts)
        maps.append(method.adapt(moved.query).logits(moved.query).argmax(dim=0))
    assert maps[0].equal(maps[1])
    assert maps[0].equal(maps[2])


def test_a_method_that_relies_on_the_query_is_refused_without_it(composed):
    with pytest.raises(Exception, match="transduction=keep_base"):
        composed("method=terrashot_query", "transduction=none")


def test_what_keeps_the_base_classes_of_a_bold_head_is_the_query(composed, scene):
    """With the query's losses next to nothing, base pixels become novel."""
    kept = []
    for weight in (0.3, 1e-6):
        method = composed("method=terrashot_query", f"transduction.distillation={weight}")
        method.fit_support(scene.snapshot, scene.support)
        probabilities = method.adapt(scene.query).logits(scene.query).softmax(dim=0)
        kept.append(float(probabilities[:3][:, scene.truth < 3].sum(dim=0).mean()))
    assert kept[0] > kept[1] + 0.01


@pytest.mark.parametrize("name", [n for n in SCALE_FREE if n != "base_only"])
def test_a_method_learns_novel_classes_and_keeps_the_base(composed, scene, name):
    method = composed(f"method={name}")
    method.fit_support(scene.snapshot, scene.support, base_counts=torch.ones(3))
    found = method.adapt(scene.query).logits(scene.query).argmax(dim=0)
    novel = scene.truth >= 3
    assert (found == scene.truth)[novel].float().mean() > 0.85
    assert (found == scene.truth)[~novel].float().mean() > 0.85


@pytest.mark.parametrize("name", SCALE_FREE)
@pytest.mark.parametrize("case", ["one pixel", "ignored tile", "class lost in a tile"])
def test_meagre_support_is_enough(composed, scene, name, case):
    if case == "one pixel":
        for label in scene.labels[:2]:
            label[label == 3] = 0
        scene.labels[0][0, 0] = 3
    elif case == "ignored tile":
        scene.labels[0][:] = 255
    else:
        scene.labels[0][:] = 0
    support = SupportPixels(scene.features, scene.labels, 3, 2, tile_classes=[3, 3, 4, 4])
    method = composed(f"method={name}")
    method.fit_support(scene.snapshot, support, base_counts=torch.ones(3))
    assert torch.isfinite(method.adapt(scene.query).logits(scene.query)).all()


@pytest.mark.parametrize("name", [n for n in SCALE_FREE if n != "base_only"])
def test_features_that_are_all_zero_are_an_error(composed, scene, name):
    zeros = [torch.zeros_like(feature) for feature in scene.features]
    support = SupportPixels(zeros, scene.labels, 3, 2)
    method = composed(f"method={name}")
    with pytest.raises(DataError, match="features are all"):
        method.fit_support(scene.snapshot, support, base_counts=torch.ones(3))


def test_the_published_method_runs_on_other_numbers_of_classes(composed, scene):
    method = composed("method=classtrans_paper")
    with pytest.warns(UserWarning, match="published pixel counts"):
        method.fit_support(scene.snapshot, scene.support)
    assert method.adapt(scene.query).logits(scene.query).shape == (5, 10, 10)


def test_the_command_line_wins_over_the_method(composed):
    method = composed("method=classtrans", "loss=ce", "transition=none", "solver.lr=1e-5")
    assert type(method.loss).__name__ == "CrossEntropy"
    assert type(method.transition).__name__ == "NoTransition"
    assert method.solver.lr == 1e-5
    assert type(composed("method=classtrans").loss).__name__ == "LDAM"


def test_every_option_of_the_groups_builds_and_says_what_it_is(repository):
    for group in GROUPS:
        for path in sorted((repository / "configs" / group).glob("*.yaml")):
            assert path.read_text().startswith("# "), path
            options = OmegaConf.load(path)
            if "checkpoint" not in options:  # what was trained elsewhere is tested with its file
                assert instantiate(options) is not None
