"""SG-One from images to masks, with small networks."""

import pytest
import torch

from terrashot.losses.cross_entropy import CrossEntropy
from terrashot.papers.sg_one.guidance.guided_prediction import (
    EncodedQuery,
    pool_support,
    predict_episodes,
)
from terrashot.papers.sg_one.network.build import build_sg_one

SMALL = {
    "backbone": {"name": "mobilenetv2_035"},
    "decoder": {"name": "fpn", "pyramid_channels": 16, "segmentation_channels": 32, "dropout": 0.0},
    "guidance_channels": 32,
}
RED, GREEN = torch.tensor([0.8, 0.2, 0.2]), torch.tensor([0.2, 0.7, 0.2])
SIDE = 64


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build_sg_one(SMALL).eval()


def scenes(count, generator):
    """Red discs on green with noise: images [n, 3, S, S], and where they are red [n, S, S]."""
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    centres = torch.randint(20, 44, (count, 2, 1, 1), generator=generator)
    radius = torch.randint(10, 20, (count, 1, 1), generator=generator)
    red = (rows - centres[:, 0]) ** 2 + (columns - centres[:, 1]) ** 2 < radius**2
    images = torch.where(red.unsqueeze(1), RED.view(3, 1, 1), GREEN.view(3, 1, 1))
    noise = 0.05 * torch.randn(images.shape, generator=generator)
    return (images + noise).clamp(0, 1), red


def test_sg_one_t08_zero_logits_cost_ln_2_and_ignored_pixels_nothing(network):
    target = torch.randint(0, 2, (2, 8, 8), generator=torch.Generator().manual_seed(0))
    loss = CrossEntropy()
    assert float(loss(torch.zeros(2, 2, 8, 8), target)) == pytest.approx(0.693147, abs=1e-6)
    logits = torch.randn(2, 2, 8, 8, generator=torch.Generator().manual_seed(1))
    ignored = target.clone()
    ignored[:, :3] = 255
    expected = loss(logits[:, :, 3:], target[:, 3:])
    torch.testing.assert_close(loss(logits, ignored), expected)

    image, red = scenes(1, torch.Generator().manual_seed(0))
    with torch.no_grad():
        guidance = network.guidance(network.maps(image))
        mask = red.long()
        mask[(~red)] = 255
        torch.testing.assert_close(
            pool_support(network, guidance, mask).vectors,
            pool_support(network, guidance, red.long()).vectors,
        )


def test_one_episode_in_a_batch_equals_the_query_asked_alone(network):
    images, red = scenes(4, torch.Generator().manual_seed(0))
    with torch.no_grad():
        batch = predict_episodes(network, images[:2], red[:2].long(), images[2:])
        assert batch.similarity.shape == (2, 1, 16, 16)
        for row in range(2):
            guidance = network.guidance(network.maps(images[row : row + 1]))
            vector = pool_support(network, guidance, red[row : row + 1].long()).vectors
            scores = EncodedQuery(network, images[2 + row : 3 + row]).scores(vector, "avg")
            foreground = batch.logits[row].softmax(dim=0)[1]
            torch.testing.assert_close(scores.foreground, foreground, atol=1e-4, rtol=1e-3)
            torch.testing.assert_close(
                scores.similarity, batch.similarity[row, 0], atol=1e-4, rtol=1e-3
            )


def test_an_empty_support_is_told_and_leaves_finite_gradients():
    torch.manual_seed(0)
    network = build_sg_one(SMALL)
    images, red = scenes(4, torch.Generator().manual_seed(0))
    red[0] = False
    batch = predict_episodes(network, images[:2], red[:2].long(), images[2:])
    assert batch.valid.tolist() == [False, True]
    batch.logits.square().mean().backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in network.parameters())
    support = network.guidance_head.convolution.weight.grad
    assert bool(support.any())  # the support is not cut off from the gradient


@pytest.mark.slow
def test_sg_one_t11_the_support_decides_what_is_found():
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    network, loss = build_sg_one(SMALL).train(), CrossEntropy()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(200):
        images, red = scenes(8, generator)
        # Every second episode asks for the green of the surroundings.
        masks = torch.where(torch.arange(8).view(8, 1, 1) % 2 == 0, red, ~red).long()
        batch = predict_episodes(network, images[:4], masks[:4], images[4:])
        optimizer.zero_grad()
        loss(batch.logits, masks[4:]).backward()
        optimizer.step()
    network.eval()
    images, red = scenes(8, generator)
    ious = {}
    with torch.no_grad():
        for name, masks in {"red": red, "green": ~red}.items():
            logits = predict_episodes(network, images[:4], masks[:4].long(), images[4:]).logits
            found, truth = logits.argmax(dim=1) == 1, masks[4:]
            ious[name] = float((found & truth).sum() / (found | truth).sum())
    assert ious["red"] > 0.9
    assert ious["green"] > 0.9
