"""The front door on a small network with random weights."""

import numpy as np
import pytest
import timm
import torch

import terrashot
from terrashot.errors import CheckpointError, ConfigError, DataError
from terrashot.model.base_head import as_adapted
from terrashot.model.checkpoints import ENCODER, STAGE1, write_checkpoint
from terrashot.model.find import find_model_file
from terrashot.model.model import Model
from terrashot.networks.build import build_segmenter

IMAGE = np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8)
MASK = np.zeros((70, 90), dtype=bool)
MASK[10:50, 20:60] = True
QUICK = {"method": "imprinting"}


@pytest.fixture(scope="module")
def run_folder(make_adapted, tmp_path_factory):
    """The folder of a stage-1 run with a network of 3 base classes."""
    model = make_adapted()
    folder = tmp_path_factory.mktemp("logs") / "stage1" / "2026-01-31_12-00-00"
    header = {
        "network": model.segmenter.description,
        "taxonomy": model.taxonomy.base_only().to_dict(),
    }
    state = model.segmenter.state_dict()
    write_checkpoint(folder / "checkpoints" / "best.ckpt", STAGE1, header, state)
    (folder / "run.json").write_text(
        '{"status": "finished", "task": "base_segmentation", "started": "2026-01-31"}'
    )
    return folder


@pytest.fixture
def base(run_folder) -> Model:
    return terrashot.load(run_folder)


def test_a_stage1_network_maps_its_base_classes(base):
    assert base.classes == ["background", "tree", "road"]
    assert not base.is_adapted
    probabilities = base.probabilities(IMAGE)
    assert probabilities.dtype == np.float32
    assert probabilities.shape == (3, 70, 90)
    with torch.no_grad():
        pixels = torch.from_numpy(IMAGE).permute(2, 0, 1)[None].float() / 255
        features = base.network.segmenter.features(pixels)
        logits = base.network.segmenter.head(features)
        expected = base.network.segmenter.upsample(logits.softmax(1), 70, 90)[0]
    np.testing.assert_allclose(probabilities, expected.numpy(), atol=1e-5)
    np.testing.assert_array_equal(base.predict(IMAGE), probabilities.argmax(0))


def test_new_classes_are_learned_from_arrays_of_any_size(base):
    ids = np.zeros((50, 50), np.uint8)
    ids[5:20, 5:20] = 7
    ids[30:] = 255
    support = {"pool": [(IMAGE, MASK), (IMAGE[:50, :50], ids)], "court": [(IMAGE, ~MASK)]}
    model = base.adapt(support, colors={"court": "#123456"})
    assert model.classes == ["background", "tree", "road", "pool", "court"]
    assert model.taxonomy.novel[1].color == "#123456"
    assert model.taxonomy.novel[0].color not in {c.color for c in base.taxonomy.classes}
    found = model.predict(IMAGE)
    assert found.dtype == np.uint8
    assert found.shape == (70, 90)
    assert found.max() < 5
    np.testing.assert_allclose(model.probabilities(IMAGE).sum(0), 1, atol=1e-5)
    assert not base.is_adapted  # it is left as it was


def test_a_saved_model_is_the_same_model(base, tmp_path):
    model = base.adapt({"pool": [(IMAGE, MASK)]})
    model.save(tmp_path / "adapted.ckpt")
    again = terrashot.load(tmp_path)
    np.testing.assert_array_equal(again.probabilities(IMAGE), model.probabilities(IMAGE))
    assert again.taxonomy == model.taxonomy
    assert again.provenance["support"] == {"pool": ["pool_0 90 x 70"]}
    assert again.provenance["stage1"]["sha256"] == base.digest


def test_a_second_encoder_goes_with_the_model_into_its_file(make_adapted, tmp_path):
    """A vision transformer of stage 1, and a convolutional encoder beside it."""
    torch.manual_seed(1)
    weights = tmp_path / "second.pth"
    torch.save(timm.create_model("mobilenetv2_050").state_dict(), weights)
    network = make_adapted(backbone="test_vit")
    base = Model(as_adapted(network.segmenter, network.taxonomy.base_only()))
    second = {"name": "mobilenetv2_050", "weights": str(weights)}
    model = base.adapt({"pool": [(IMAGE, MASK)]}, second=second)
    assert model.network.segmenter.parts == (32, 64, 248)  # decoder, tokens, five stages
    assert model.provenance["second"] == {"name": "mobilenetv2_050", "weights": "second.pth"}
    assert "test_vit + fpn + second encoder mobilenetv2_050" in repr(model)
    model.save(tmp_path / "adapted.ckpt")
    weights.unlink()  # the file of the model holds them
    again = terrashot.load(tmp_path)
    np.testing.assert_array_equal(again.probabilities(IMAGE), model.probabilities(IMAGE))
    assert (again.predict(IMAGE)[MASK] == 3).mean() > 0.5
    assert base.network.segmenter.second is None  # it is left as it was


def test_pixels_that_are_no_numbers_are_no_class_and_do_not_count(make_adapted):
    plain = make_adapted().segmenter.description
    imagery = {"bands": [1, 2], "dtype": "float32", "scale": [[0, 1], [0, 2]], "rgb": [0, 1, 1]}
    torch.manual_seed(0)
    network = build_segmenter({**plain, "mean": [0.5] * 2, "std": [0.2] * 2, "imagery": imagery})
    taxonomy = make_adapted().taxonomy.base_only()
    base = Model(as_adapted(network.eval(), taxonomy))
    image = (IMAGE[..., :2] / np.array([255, 128])).astype(np.float32)
    broken, marked = image.copy(), np.where(MASK, 1, 0).astype(np.uint8)
    broken[:20, :, 1] = np.nan
    broken[60:, 70:, 0] = np.inf
    empty = ~np.isfinite(broken).all(axis=2)
    marked[empty] = 255
    told = base.adapt({"pool": [(np.where(empty[..., None], 0, image), marked)]}, **QUICK)
    found = base.adapt({"pool": [(broken, MASK)]}, **QUICK)
    np.testing.assert_array_equal(found.probabilities(image), told.probabilities(image))
    ids, shares = found.predict(broken), found.probabilities(broken)
    np.testing.assert_array_equal(ids == 255, empty)
    assert (shares[:, empty] == 0).all()
    np.testing.assert_allclose(shares[:, ~empty].sum(0), 1, atol=1e-5)
    with pytest.raises(DataError, match=r"empty.*pixels of the image are no finite numbers"):
        base.adapt({"pool": [(np.full_like(image, np.nan), MASK)]}, **QUICK)


def test_pixels_of_255_do_not_count(base):
    ids = np.where(MASK, 1, 255).astype(np.uint8)
    only = base.adapt({"pool": [(IMAGE, ids)]}, **QUICK)
    both = base.adapt({"pool": [(IMAGE, MASK)]}, **QUICK)
    assert not np.array_equal(only.probabilities(IMAGE), both.probabilities(IMAGE))


def test_print_says_what_it_holds(base, run_folder):
    said = repr(base)
    assert "stage-1 network: mobilenetv2_050 + fpn, features at stride 4" in said
    assert "background, tree, road" in said
    assert base.digest[:12] in said
    said = repr(base.adapt({"pool": [(IMAGE, MASK)]}, **QUICK))
    assert "novel classes: pool" in said
    assert "imprinting from 1 tile(s)" in said
    assert "not saved" in said


def test_settings_of_a_method_are_taken(base):
    plain = base.adapt({"pool": [(IMAGE, MASK)]}, settings={"inference.flips": "none"})
    assert plain.network.inference.flips == "none"
    with pytest.raises(ConfigError, match=r"solver\.iterations"):
        base.adapt({"pool": [(IMAGE, MASK)]}, settings={"solver.iteration": 3})


FLOAT = (IMAGE / 255).astype(np.float32)
TWO = np.where(MASK, 2, 0).astype(np.uint8)
TWO[0, 0] = 1


@pytest.mark.parametrize(
    ("support", "words"),
    [
        ({}, "there is no novel class"),
        ({"pool": []}, r"support\['pool'\] has no tile"),
        ({"pool": (IMAGE, MASK)}, r"Write \[\(image, mask\)\]"),
        ({"pool": [IMAGE]}, r"\[0\] is no pair"),
        ({"pool": [(FLOAT, MASK)]}, r"\['pool'\]\[0\] is of type float32.*255 \* image"),
        ({"pool": [(IMAGE.transpose(2, 0, 1), MASK)]}, r"image\.transpose\(1, 2, 0\)"),
        ({"pool": [(IMAGE[..., 0], MASK)]}, r"has shape \[70, 90\]"),
        ({"pool": [(IMAGE.tolist(), MASK)]}, "is a list, but an image is a NumPy array"),
        ({"pool": [(IMAGE, MASK[:60])]}, r"shape \[60, 90\], but its image has \[70, 90\]"),
        ({"pool": [(IMAGE, MASK.astype(np.int64))]}, "of type int64, but a mask is"),
        ({"pool": [(IMAGE, MASK & False)]}, "is empty"),
        ({"pool": [(IMAGE, MASK.astype(np.uint8) * 255)]}, "is empty.*give mask == 255"),
        ({"pool": [(IMAGE, TWO)]}, r"holds the values 1, 2, but it is of one class"),
    ],
)
def test_support_that_is_none_is_told_in_one_paragraph(base, support, words):
    with pytest.raises(DataError, match=words) as error:
        base.adapt(support)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("support", "options", "words"),
    [
        ({"road": [(IMAGE, MASK)]}, {}, "'road' is a class that the network knows already"),
        ({"": [(IMAGE, MASK)]}, {}, "no name of a class"),
        ({"pool": [(IMAGE, MASK)]}, {"colors": {"pol": "#111111"}}, "colors names 'pol'"),
        ({"pool": [(IMAGE, MASK)]}, {"colors": {"pool": "red"}}, "'#rrggbb'"),
        ({"pool": [(IMAGE, MASK)]}, {"method": "magic"}, "no such method"),
        ({"pool": [(IMAGE, MASK)]}, {"feature_stride": 6}, "must be a multiple"),
        ({"pool": [(IMAGE, MASK)]}, {"base_counts": [1, 2]}, "base_counts has 2 numbers"),
    ],
)
def test_settings_that_cannot_be_are_told(base, support, options, words):
    with pytest.raises(ConfigError, match=words):
        base.adapt(support, **options)


def test_an_adapted_model_is_not_adapted_again_and_a_base_one_not_saved(base, tmp_path):
    model = base.adapt({"pool": [(IMAGE, MASK)]}, **QUICK)
    with pytest.raises(ConfigError, match="adapted already: it has learned pool"):
        model.adapt({"court": [(IMAGE, MASK)]})
    with pytest.raises(ConfigError, match="was not adapted"):
        base.save(tmp_path / "base.ckpt")
    with pytest.raises(DataError, match="the image is of type float32"):
        model.predict(FLOAT)
    assert list(tmp_path.iterdir()) == []


def test_the_latest_run_is_found_with_and_without_a_link(base, run_folder):
    later = run_folder.parent / "2026-02-01_12-00-00"
    later.mkdir()
    (later / "run.json").write_text('{"status": "running", "task": "base_segmentation"}')
    assert terrashot.load(run_folder.parent / "latest").path == base.path
    assert find_model_file("latest", logs=run_folder.parent.parent) == base.path


def test_what_holds_no_model_is_told(run_folder, tmp_path):
    for path, words in [
        (tmp_path / "nowhere", "no such file or folder"),
        (tmp_path, "folder without a checkpoint"),
        (tmp_path / "latest", "holds no finished run"),
        (run_folder.parent, "is a folder of runs"),
    ]:
        with pytest.raises(CheckpointError, match=words):
            terrashot.load(path)
    write_checkpoint(tmp_path / "encoder.pt", ENCODER, {"arch": "x"}, {})
    with pytest.raises(CheckpointError, match="is an encoder file"):
        terrashot.load(tmp_path / "encoder.pt")


def test_a_model_is_saved_over_an_adapted_model_alone(base, run_folder, tmp_path):
    model = base.adapt({"pool": [(IMAGE, MASK)]}, method=QUICK["method"])
    stage1 = run_folder / "checkpoints" / "best.ckpt"
    link, foreign = tmp_path / "link.ckpt", tmp_path / "notes.txt"
    link.symlink_to(stage1)
    foreign.write_text("mine")
    before = stage1.read_bytes()
    for path in (stage1, link, foreign, tmp_path):
        with pytest.raises(ConfigError, match="no adapted model, so it is not replaced"):
            model.save(path)
    assert (stage1.read_bytes(), foreign.read_text()) == (before, "mine")
    for _ in range(2):
        model.save(tmp_path / "adapted.ckpt")
