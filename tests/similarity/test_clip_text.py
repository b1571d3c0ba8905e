"""A tiny open_clip model with random weights stands in for a published one."""

import json
import re

import open_clip
import pytest
import torch
from torch.nn import functional

from terrashot.errors import CheckpointError, ConfigError
from terrashot.similarity.clip_text import TEMPLATES, ClipText
from terrashot.similarity.estimator import FeatureBank
from terrashot.similarity.text_cache import TextCache

TINY = "terrashot-tiny"
BASE = ["background", "agric land type 1", "sea, lake & pond"]
NOVEL = ["agric land type 2", "parking space"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    config = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
        "text_cfg": {
            "context_length": 77,
            "vocab_size": 49408,
            "width": 32,
            "heads": 2,
            "layers": 1,
        },
    }
    (folder / f"{TINY}.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder)
    torch.manual_seed(0)
    model = open_clip.create_model(TINY)
    torch.save(model.state_dict(), folder / "weights.pt")
    return model.eval(), folder / "weights.pt"


@pytest.fixture
def build(tiny, tmp_path):
    def make(**options):
        options = {"model": TINY, "weights": str(tiny[1]), "cache": str(tmp_path)} | options
        return ClipText(**options)

    return make


def bank(names, scale=1.0):
    return FeatureBank(torch.rand(len(names), 8) * scale, torch.ones(len(names)).long(), 9, names)


def phrase_vector(model, phrase):
    """By hand: mean of the unit vectors of the sentences, at length 1."""
    tokenize = open_clip.get_tokenizer(TINY)
    with torch.no_grad():
        vectors = [
            functional.normalize(model.encode_text(tokenize([t.format(phrase)]))[0], dim=0)
            for t in TEMPLATES
        ]
    return functional.normalize(torch.stack(vectors).mean(dim=0), dim=0).double()


@pytest.mark.parametrize("centre", [True, False])
def test_the_matrix_is_the_softmax_of_text_cosines(tiny, build, centre):
    found = build(centre=centre, temperature=0.3).estimate(bank(BASE), bank(NOVEL))
    phrases = ["other land", "agricultural land", "sea, lake and pond"]
    vectors = torch.stack(
        [phrase_vector(tiny[0], p) for p in [*phrases, "agricultural land", "parking space"]]
    )
    if centre:
        vectors = vectors - vectors.mean(dim=0)
    vectors = functional.normalize(vectors, dim=1)
    expected = (vectors[:3] @ vectors[3:].T / 0.3).softmax(dim=0)
    assert torch.allclose(found, expected, atol=1e-5)
    assert torch.allclose(found.sum(dim=0), torch.ones(2).double())
    # Two types of one thing are the same words, so nothing is nearer.
    assert int(found[:, 0].argmax()) == 1


def test_features_have_no_say(build):
    one = build().estimate(bank(BASE), bank(NOVEL))
    other = build().estimate(bank(BASE, 100.0), bank(NOVEL, 100.0))
    assert torch.equal(one, other)


def test_the_second_run_needs_no_model(build, monkeypatch, tmp_path):
    first = build().estimate(bank(BASE), bank(NOVEL))
    assert len(list(tmp_path.iterdir())) == 1

    def refuse(*args, **options):
        raise AssertionError("the model was loaded again")

    monkeypatch.setattr(open_clip, "create_model", refuse)
    assert torch.equal(build().estimate(bank(BASE), bank(NOVEL)), first)
    # The same classes parted otherwise are the same phrases.
    build().estimate(bank([*BASE, NOVEL[1]]), bank(NOVEL[:1]))
    with pytest.raises(CheckpointError):
        build(templates=["{}"]).estimate(bank(BASE), bank(NOVEL))
    with pytest.raises(CheckpointError):
        build().estimate(bank(["background", "tree"]), bank(NOVEL))


def test_kept_embeddings_outlive_the_weight_file_but_not_a_new_one(build, tiny, tmp_path):
    weights = tmp_path / "copy.pt"
    weights.write_bytes(tiny[1].read_bytes())
    first = build(weights=str(weights)).estimate(bank(BASE), bank(NOVEL))
    weights.unlink()
    assert torch.equal(build(weights=str(weights)).estimate(bank(BASE), bank(NOVEL)), first)
    torch.manual_seed(1)
    torch.save(open_clip.create_model(TINY).state_dict(), weights)
    assert not torch.allclose(build(weights=str(weights)).estimate(bank(BASE), bank(NOVEL)), first)


def test_a_broken_cache_file_is_made_anew(build, tmp_path):
    first = build().estimate(bank(BASE), bank(NOVEL))
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(kept.read_bytes()[:100])
    assert torch.equal(build().estimate(bank(BASE), bank(NOVEL)), first)
    assert kept.stat().st_size > 100


def test_a_download_that_fails_says_how_to_get_the_weights(monkeypatch, tmp_path):
    # The hub's own offline switch, read at import, and an empty cache: no network is touched.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    estimator = ClipText(cache=str(tmp_path / "text"))
    with pytest.raises(CheckpointError) as caught:
        estimator.estimate(bank(BASE), bank(NOVEL))
    message = str(caught.value)
    for word in ["laion2b_s34b_b79k", "ViT-B-32", "similarity.weights=PATH", "similarity.cache"]:
        assert word in message
    assert str(tmp_path / "text") in message
    assert "\n" not in message


@pytest.mark.parametrize("content", [None, b"no weights"])
def test_a_weight_file_that_is_missing_or_foreign_is_named(build, tmp_path, content):
    path = tmp_path / "mine.pt"
    if content is not None:
        path.write_bytes(content)
    problem = "do not exist" if content is None else "cannot be loaded"
    with pytest.raises(CheckpointError, match=rf"{re.escape(str(path))} .*{problem}"):
        build(weights=str(path)).estimate(bank(BASE), bank(NOVEL))


def test_phrases_are_used_and_null_leaves_a_base_class_out(tiny, build):
    found = build(phrases={"background": None, "parking space": "parked cars"}, centre=False)
    similarity = found.estimate(bank(BASE), bank(NOVEL))
    assert bool((similarity[0] == 0).all())
    phrases = ["agricultural land", "sea, lake and pond"]
    base = torch.stack([phrase_vector(tiny[0], p) for p in phrases])
    expected = (base @ phrase_vector(tiny[0], "parked cars") / 0.1).softmax(dim=0)
    assert torch.allclose(similarity[1:, 1], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "ViT-B-23"}, r"similarity\.model is 'ViT-B-23'.*ViT-B-32"),
        ({"model": "ViT-B-32", "weights": "nope"}, r"similarity\.weights is 'nope'.*laion2b"),
        ({"weights": None}, r"similarity\.weights is 'None'"),
        ({"templates": ["a photo"]}, r"similarity\.templates.*\{\} where the class goes"),
        ({"templates": "a photo of {}"}, r"similarity\.templates.*must be a list"),
        ({"templates": []}, r"similarity\.templates"),
        ({"temperature": 0}, r"similarity\.temperature is 0"),
    ],
)
def test_a_bad_option_is_named(build, options, message):
    with pytest.raises(ConfigError, match=message):
        build(**options)


def test_classes_without_names_or_words_are_refused(build):
    nameless = FeatureBank(torch.rand(2, 8), torch.ones(2).long(), 9)
    with pytest.raises(ConfigError, match=r"no names for the 2 base classes.*class_names"):
        build().estimate(nameless, bank(NOVEL))
    with pytest.raises(ConfigError, match="every base class"):
        build(phrases=dict.fromkeys(BASE)).estimate(bank(BASE), bank(NOVEL))
    with pytest.raises(ConfigError, match=r"'parking space' \(null\)"):
        build(phrases={"parking space": None}).estimate(bank(BASE), bank(NOVEL))


def test_embeddings_that_the_disk_takes_no_more_are_told_and_not_an_error(tmp_path, no_file_beyond):
    cache = TextCache(tmp_path, "model", "weights", ["{}"])
    with (
        no_file_beyond(1_000),
        pytest.warns(UserWarning, match="text embeddings could not be kept"),
    ):
        cache.save(["tree"], torch.ones(1, 1000))
    assert list(tmp_path.iterdir()) == []
    cache.save(["tree"], torch.ones(1, 1000))
    assert torch.equal(cache.load(["tree"]), torch.ones(1, 1000))
