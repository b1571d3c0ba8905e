import pytest
import torch

from terrashot.errors import CheckpointError
from terrashot.model.stage1_file import KEY, describe, find_checkpoint, load_base_model
from terrashot.networks.build import build_segmenter
from terrashot.taxonomy import Taxonomy


def taxonomy(*base):
    def rows(names):
        return [{"name": n, "color": "#123456"} for n in names]

    return Taxonomy.from_dict(
        {"name": "t", "background": rows(["none"])[0], "base": rows(base), "novel": rows(["car"])}
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    segmenter = build_segmenter(
        {"backbone": {"name": "mobilenetv2_050"}, "decoder": {"name": "fpn"}, "num_classes": 3}
    )
    state = {f"segmenter.{k}": v for k, v in segmenter.state_dict().items()}
    content = {"state_dict": state, KEY: describe(segmenter, taxonomy("tree", "road").base_only())}
    path = tmp_path_factory.mktemp("run") / "checkpoints" / "best.ckpt"
    path.parent.mkdir()
    torch.save(content, path)
    return path, segmenter


def test_the_network_comes_back_with_its_weights_and_classes(saved):
    path, segmenter = saved
    model = load_base_model(path, taxonomy("tree", "road"))
    image = torch.rand(1, 3, 40, 40)
    assert torch.equal(model.segmenter.eval()(image), segmenter.eval()(image))
    assert model.taxonomy.names == ["none", "tree", "road"]


def test_a_run_folder_stands_for_its_best_checkpoint(saved):
    path, _ = saved
    assert find_checkpoint(str(path.parent.parent)) == path
    with pytest.raises(CheckpointError, match=r"best\.ckpt"):
        find_checkpoint(str(path.parent))


def test_a_checkpoint_of_other_classes_names_both(saved):
    with pytest.raises(CheckpointError, match=r"none, tree, road .* none, tree, house"):
        load_base_model(saved[0], taxonomy("tree", "house"))


def test_what_is_no_checkpoint_is_refused(saved, tmp_path):
    path, _ = saved
    text, cut, weights, code = (tmp_path / f"{n}.ckpt" for n in ("text", "cut", "weights", "code"))
    text.write_text("hello")
    cut.write_bytes(path.read_bytes()[:5000])
    torch.save({"conv.weight": torch.zeros(3)}, weights)
    torch.save({"state_dict": {}, KEY: print}, code)  # a pickle that names a function
    for file in (text, cut, code):
        with pytest.raises(CheckpointError, match="can't be read as a checkpoint"):
            load_base_model(file)
    with pytest.raises(CheckpointError, match=r"backbone\.weights"):
        load_base_model(weights)


def test_weights_that_do_not_fit_the_description_are_refused(saved, tmp_path):
    content = torch.load(saved[0], weights_only=True)
    content["state_dict"].popitem()
    torch.save(content, tmp_path / "changed.ckpt")
    with pytest.raises(CheckpointError, match="do not fit the network"):
        load_base_model(tmp_path / "changed.ckpt")
