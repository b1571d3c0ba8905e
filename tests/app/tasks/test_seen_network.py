"""What stage 2 sees, from settings; no network is trained."""

from types import SimpleNamespace

import pytest
import timm
import torch

from terrashot.app.config.checks import check_settings
from terrashot.app.config.compose import compose_settings
from terrashot.app.run.build import build_feature_cache
from terrashot.app.tasks.seen_network import second_files, second_of, seen_network
from terrashot.data.feature_cache import TileMaps
from terrashot.errors import CheckpointError, ConfigError
from terrashot.networks.build import build_segmenter

SECOND = "adaptation.second"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    for seed in (1, 2):
        torch.manual_seed(seed)
        torch.save(timm.create_model("test_vit").state_dict(), folder / f"{seed}.pth")
    return folder


@pytest.fixture
def settings(repository, tmp_path):
    def of(*overrides, experiment="stage2"):
        paths = [f"paths.logs={tmp_path}", f"paths.feature_cache={tmp_path / 'cache'}"]
        given = [f"experiment={experiment}", *paths, *overrides]
        return compose_settings(repository / "configs", given)

    return of


@pytest.fixture
def base():
    torch.manual_seed(0)
    network = {"backbone": {"name": "mobilenetv2_050"}, "decoder": {"name": "fpn"}}
    segmenter = build_segmenter({**network, "num_classes": 3}).eval().requires_grad_(False)
    return SimpleNamespace(segmenter=segmenter)


def test_without_a_second_encoder_nothing_is_added(settings, base):
    given = settings("adaptation.features=decoder").adaptation
    segmenter, lines = seen_network(base, given.features, second_of(given))
    assert segmenter is base.segmenter
    assert len(lines) == 1
    assert second_of(given) is None
    assert second_files(given) == []


def test_features_and_a_second_encoder_are_put_together_and_said(settings, base, weights):
    file = weights / "1.pth"
    options = ["features=stages", "second.name=test_vit", f"second.weights={file}"]
    given = settings(*(f"adaptation.{option}" for option in options)).adaptation
    segmenter, lines = seen_network(base, given.features, second_of(given))
    assert segmenter.parts == (128, 248, 64)
    assert lines[1].startswith("second encoder: 78 of 78 tensors from ")
    assert second_files(given) == [file]


def test_kept_features_are_those_of_this_encoder_and_these_weights(settings, base, weights):
    image = weights / "1.pth"
    maps = TileMaps((torch.rand(2, 3, 4),), torch.ones(8, 8, dtype=torch.bool), 1.0)

    def cache(*second):
        chosen = settings("trainer.accelerator=cpu", *second)
        segmenter, _ = seen_network(base, chosen.adaptation.features, second_of(chosen.adaptation))
        return build_feature_cache(chosen, image, segmenter)

    name = f"{SECOND}.name=test_vit"
    one, other = (f"{SECOND}.weights={weights / file}" for file in ("1.pth", "2.pth"))
    cache(name, one).save(image, maps)
    assert cache(name, one).load(image) is not None
    assert cache(name, other).load(image) is None
    assert cache().load(image) is None


@pytest.mark.parametrize(
    ("overrides", "error", "said"),
    [
        ([f"{SECOND}.name=tf_efficientnet_lite"], ConfigError, "Did you mean tf_efficientnet_lite"),
        ([f"{SECOND}.name=test_vit"], ConfigError, r"second\.weights is None"),
        ([f"{SECOND}.weights=a.pth"], ConfigError, r"second\.name is null"),
        (
            [f"{SECOND}.name=test_vit", f"{SECOND}.weights=no/such=file.pth"],
            CheckpointError,
            "no such file",
        ),
    ],
)
@pytest.mark.parametrize("experiment", ["stage2", "adapt"])
def test_what_cannot_be_is_found_before_the_run(settings, experiment, overrides, error, said):
    with pytest.raises(error, match=said):
        check_settings(settings(*overrides, experiment=experiment))


def test_wings_that_do_not_see_it_refuse_it(settings):
    with pytest.raises(ConfigError, match=r"adaptation\.second\.name.*experiment=.*stage2"):
        settings(f"{SECOND}.name=test_vit", experiment="sg_one")
