import pytest

from terrashot.errors import CheckpointError, ConfigError
from terrashot.networks.weight_tags import DEFAULT_TAG, tagged_tensors

TINY = "convnext_atto"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tag": "nope"}, ["nope", "d2_in1k", "null"]),
        ({"tag": "nope", "source": "open_clip"}, ["clip_model=None"]),
        (
            {"tag": "nope", "source": "open_clip", "clip_model": "convnext_large_d_320"},
            ["nope", "laion2b_s29b_b131k_ft_soup"],
        ),
        ({"tag": "nope", "source": "hub"}, ["source=hub", "open_clip"]),
    ],
)
def test_unknown_tags_are_refused_with_the_known_ones(options, words):
    with pytest.raises(ConfigError) as caught:
        tagged_tensors(TINY, **{"source": "timm", "clip_model": None} | options)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("options", "tag"),
    [
        ({"tag": "d2_in1k"}, f"{TINY}.d2_in1k"),
        ({"tag": DEFAULT_TAG}, TINY),
        (
            {
                "tag": "laion2b_s29b_b131k_ft_soup",
                "source": "open_clip",
                "clip_model": "convnext_large_d_320",
            },
            "laion2b_s29b_b131k_ft_soup",
        ),
    ],
)
def test_a_download_that_fails_names_the_tag_and_the_way_out(monkeypatch, tmp_path, options, tag):
    # The hub's own offline switch, read at import, and an empty cache: no network is touched.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(CheckpointError) as caught:
        tagged_tensors(TINY, **{"source": "timm", "clip_model": None} | options)
    for word in [tag, "could not be downloaded", "backbone.weights=PATH"]:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)
