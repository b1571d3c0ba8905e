"""Objects from plain settings, and where the settings lie."""

import pytest

from terrashot.adaptation.inference import Inference
from terrashot.build import build_part
from terrashot.configs_folder import configs_folder, find_option, options_of
from terrashot.errors import ConfigError

FLIPS = {"_target_": "terrashot.adaptation.inference.Inference", "flips": "hv"}
CHAIN = {
    "_target_": "terrashot.mapping.postprocess.chain.PostProcess",
    "rules": {
        "size": {"_target_": "terrashot.mapping.postprocess.minimum_size.MinimumSize", "pixels": 9}
    },
}


def test_a_target_is_built_with_the_parts_inside_it():
    assert build_part("inference", None) is None
    assert isinstance(build_part("inference", FLIPS), Inference)
    assert build_part("inference", FLIPS, smoothing=3).smoothing == 3
    assert build_part("postprocess", CHAIN).rules["size"].pixels == 9


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"flips": "all"}, "inference.flips is 'all'"),
        ({"flop": 1}, "can't be built from its settings .*flop.*configs/inference/"),
        ({"_target_": "terrashot.adaptation.inference.Infer"}, "Infer"),
        ({"_target_": "terrashot.nowhere.Inference"}, "nowhere"),
    ],
)
def test_what_cannot_be_built_is_one_paragraph(change, words):
    with pytest.raises(ConfigError, match=words) as error:
        build_part("inference", {**FLIPS, **change})
    assert "\n" not in str(error.value)


def test_the_checkouts_configs_come_first(repository):
    assert configs_folder() == repository / "configs"
    assert find_option("method", "terrashot") == repository / "configs/method/terrashot.yaml"
    assert find_option("method", "parrot") is None
    assert {"terrashot", "classtrans", "diam"} <= set(options_of("method"))
