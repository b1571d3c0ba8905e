"""Cosine guidance of novel logits."""

import math

import pytest
import torch

from terrashot.adaptation.head import LinearHead
from terrashot.adaptation.method import Query
from terrashot.adaptation.methods.imprinting import Imprinting
from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.errors import ConfigError
from terrashot.papers.sg_one.guidance.cosine_guidance import CosineGuidance
from terrashot.papers.sg_one.guidance.guided_method import GuidedMethod

NUM_BASE, CHANNELS = 3, 6


@pytest.fixture
def support():
    """Two novel classes (3, 4) of two tiles each, in clusters of their own."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.zeros(4, 6, 6, dtype=torch.int64)
    labels[:2, :3], labels[2:, :, :2] = 3, 4
    centres = 2 + torch.rand(5, CHANNELS, generator=generator) * 3
    features = centres[labels].permute(0, 3, 1, 2)
    noise = 0.3 * torch.randn(features.shape, generator=generator)
    return SupportPixels(features + noise, labels, NUM_BASE, 2, tile_classes=[3, 3, 4, 4])


@pytest.fixture
def query():
    return 2 + 3 * torch.rand(CHANNELS, 5, 7, generator=torch.Generator().manual_seed(1))


def plain_guidance(support, query):
    """Prototype, threshold and cosine in the plainest form."""
    blocks = torch.cat([b.pixels for b in support.blocks], dim=1)
    mean, deviation = blocks.mean(dim=1), blocks.std(dim=1, correction=0)

    def scaled(pixels):
        return (pixels - mean[:, None]) / deviation[:, None]

    found = []
    for index in (3, 4):
        own = torch.cat([b.pixels for b in support.blocks if b.label == index], dim=1)
        rest = [b.pixels for b in support.blocks if b.label == 0 and b.tile_class == index]
        prototype = scaled(own).mean(dim=1, keepdim=True)

        def cosine(pixels, prototype=prototype):
            return torch.cosine_similarity(scaled(pixels), prototype, dim=0)

        threshold = (cosine(own).mean() + cosine(torch.cat(rest, dim=1)).mean()) / 2
        found.append(cosine(query.flatten(1)) - threshold)
    return torch.stack(found).unflatten(1, query.shape[1:])


def test_guidance_is_the_cosine_above_the_midpoint(support, query):
    guidance = CosineGuidance()
    guidance.fit(support)
    expected = plain_guidance(support, query)
    torch.testing.assert_close(guidance.guidance(query), expected, atol=1e-4, rtol=1e-4)


def test_own_pixels_are_lifted_and_others_are_not(support):
    guidance = CosineGuidance()
    guidance.fit(support)
    own = torch.cat([b.pixels for b in support.blocks if b.label == 3], dim=1)
    rest = [b.pixels for b in support.blocks if b.label == 0 and b.tile_class == 3]
    assert float(guidance.guidance(own.unsqueeze(2))[0].mean()) > 0
    assert float(guidance.guidance(torch.cat(rest, dim=1).unsqueeze(2))[0].mean()) < 0


@pytest.mark.parametrize("mode", ["gate", "add"])
def test_base_logits_stay_and_strength_0_changes_nothing(support, query, mode):
    logits = torch.randn(5, 5, 7, generator=torch.Generator().manual_seed(2))
    none, some = CosineGuidance(mode, 0.0), CosineGuidance(mode, 5.0)
    none.fit(support)
    some.fit(support)
    torch.testing.assert_close(none.apply(logits, query), logits)
    guided = some.apply(logits, query)
    assert torch.equal(guided[:NUM_BASE], logits[:NUM_BASE])
    change = guided[NUM_BASE:] - logits[NUM_BASE:]
    value = 5 * some.guidance(query)
    expected = (2 * value.sigmoid()).log() if mode == "gate" else value
    torch.testing.assert_close(change, expected, atol=1e-5, rtol=1e-5)
    if mode == "gate":
        assert float(change.max()) <= math.log(2)


def test_any_method_can_be_guided(support, query):
    generator = torch.Generator().manual_seed(3)
    snapshot = LinearHead(torch.randn(NUM_BASE, CHANNELS, generator=generator), torch.zeros(3))
    plain, guided = Imprinting(), GuidedMethod(Imprinting(), CosineGuidance("add", 4.0))
    for method in (plain, guided):
        method.fit_support(snapshot, support)
    head = guided.adapt(query)
    assert guided.name == "imprinting, guided"
    assert head.diverged is False
    expected = guided.guidance.apply(plain.adapt(query).logits(query), query)
    torch.testing.assert_close(head.logits(query), expected)
    (together,) = guided.adapt_together([Query(query)])
    torch.testing.assert_close(together.logits(query), expected)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ConfigError, match=r"guidance.mode is 'multiply'.*gate or add"):
        CosineGuidance("multiply")
    with pytest.raises(ConfigError, match=r"guidance.strength is -1"):
        CosineGuidance(strength=-1)
