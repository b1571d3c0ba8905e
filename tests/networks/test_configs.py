import pytest
import yaml

from terrashot.networks.build import build_segmenter
from terrashot.networks.decoders import DECODERS, decoder_options
from terrashot.networks.encoder import check_name


def config(repository, group, option):
    return yaml.safe_load((repository / "configs" / group / f"{option}.yaml").read_text())


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoders_config_names_each_of_its_options_with_the_default(repository, name):
    values = config(repository, "decoder", name)
    assert values.pop("name") == name
    assert values == decoder_options({"name": name})


@pytest.mark.parametrize("option", ["mobilenetv2", "efficientnet_b4", "convnext_tiny"])
def test_a_backbones_config_builds(repository, option):
    backbone = config(repository, "backbone", option)
    assert backbone["weights"] is None
    network = build_segmenter(
        {"backbone": backbone, "decoder": {"name": "pspnet"}, "num_classes": 2}
    )
    assert network.description["backbone"]["name"] == backbone["name"]


def test_every_backbone_config_has_the_same_keys_and_a_known_name(repository):
    options = {path.stem for path in (repository / "configs" / "backbone").glob("*.yaml")}
    assert len(options) >= 6
    for option in sorted(options):
        backbone = config(repository, "backbone", option)
        assert set(backbone) - {"clip_model"} == {"name", "drop_path", "weights", "source"}
        if option == "timm":
            assert backbone["name"] == "???"
        else:
            check_name(backbone["name"])
