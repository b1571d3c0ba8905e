import pytest
import timm
import torch

from terrashot.errors import CheckpointError
from terrashot.networks.backbone_weights import load_backbone_weights
from terrashot.networks.build import build_segmenter


def segmenter(name="test_vit", **more):
    backbone = {"name": name}
    return build_segmenter(
        {"backbone": backbone, "decoder": {"name": "fpn"}, "num_classes": 3, **more}
    )


def file_of(path, name="test_vit", **options):
    model = timm.create_model(name, **options)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(0.5, 1.5)
    torch.save(model.state_dict(), path)
    return model


def test_weights_of_its_own_grid_are_taken_as_they_are(tmp_path):
    model = file_of(tmp_path / "vit.pth")
    network = segmenter()
    report = load_backbone_weights(network, str(tmp_path / "vit.pth"))
    assert report.matched == report.total
    assert report.adapted is None
    assert report.unexpected == ["head.weight", "head.bias"]
    assert torch.equal(network.encoder.model.pos_embed, model.pos_embed)
    assert torch.equal(network.encoder.model.cls_token, model.cls_token)


def test_positions_of_another_grid_are_resampled_and_the_report_says_so(tmp_path):
    model = file_of(tmp_path / "vit.pth", img_size=96)
    with torch.no_grad():
        # A ramp from left to right, which any smooth resampling keeps.
        ramp = torch.arange(6.0).repeat(6).view(1, 36, 1).expand(-1, -1, 64)
        model.pos_embed[:, 1:] = ramp
    torch.save(model.state_dict(), tmp_path / "vit.pth")
    network = segmenter()
    report = load_backbone_weights(network, str(tmp_path / "vit.pth"))
    assert report.matched == report.total
    assert "pos_embed resampled from 6 x 6 to 10 x 10 patches" in report.summary()
    found = network.encoder.model.pos_embed
    assert found.shape == (1, 101, 64)
    assert torch.equal(found[:, 0], model.pos_embed[:, 0])
    grid = found[0, 1:, 0].view(10, 10)
    torch.testing.assert_close(grid, grid[:1].expand(10, -1))
    # The middle of place 4 of 10 lies at 4.5 * 6 / 10 - 0.5 = 2.2 of 6.
    assert grid[0, 4].item() == pytest.approx(2.2, abs=1e-3)


def test_another_grid_and_other_bands_together(tmp_path):
    file_of(tmp_path / "vit.pth", img_size=96)
    network = segmenter(mean=[0.4] * 4, std=[0.2] * 4, imagery={"bands": [1, 2, 3, 4]})
    report = load_backbone_weights(network, str(tmp_path / "vit.pth"))
    assert "patch_embed.proj.weight repeated from 3 colours to 4 band(s)" in report.adapted
    assert "pos_embed resampled" in report.adapted


def test_a_wider_models_positions_stay_an_error(tmp_path):
    file_of(tmp_path / "vit.pth", "test_vit3")
    with pytest.raises(CheckpointError, match=r"of another shape pos_embed.*backbone\.name"):
        load_backbone_weights(segmenter(), str(tmp_path / "vit.pth"))
