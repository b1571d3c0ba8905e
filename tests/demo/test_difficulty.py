import json

import numpy as np
import pytest
import rasterio
import torch
import yaml
from torch.nn.functional import cross_entropy

from terrashot.demo.classes import BASE, NOVEL, TAXONOMY
from terrashot.taxonomy import Taxonomy


def _pixels(root, split, names):
    images, labels = [], []
    for name in names:
        with rasterio.open(root / f"{split}set" / "images" / name) as source:
            images.append(source.read().reshape(3, -1).T)
        with rasterio.open(root / f"{split}set" / "labels" / name) as source:
            labels.append(source.read(1).ravel())
    return np.concatenate(images) / np.float32(255), np.concatenate(labels).astype(np.int64)


def _logistic_miou(colors, labels, classes, balance):
    """Logistic regression on RGB, fitted to the very pixels it is scored on."""
    pick = np.random.default_rng(0).choice(len(colors), 30_000)
    x = torch.from_numpy((colors - colors.mean(0)) / colors.std(0))
    y = torch.from_numpy(labels)
    size = int(labels.max()) + 1
    weight = torch.bincount(y, minlength=size).clamp(1).float() ** -balance
    layer = torch.nn.Linear(3, size)
    optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = cross_entropy(layer(x[pick]), y[pick], weight / weight.mean())
        loss.backward()
        return loss

    optimizer.step(closure)
    prediction = layer(x).argmax(1).numpy()
    ious = []
    for k in classes:
        found, true = prediction == k, labels == k
        ious.append((found & true).sum() / (found | true).sum())
    return float(np.mean(ious))


@pytest.fixture(scope="module")
def queries(demo):
    names = json.loads((demo.root / "test.json").read_text())["query_set"]
    return _pixels(demo.root, "test", names)


@pytest.mark.parametrize("balance", [0.0, 0.5])
def test_colour_alone_does_not_tell_the_classes_apart(queries, balance):
    colors, labels = queries
    everything = _logistic_miou(colors, labels, (*BASE, *NOVEL), balance)
    base_labels = np.where(labels > max(BASE), 0, labels)
    base = _logistic_miou(colors, base_labels, BASE, balance)
    assert everything < 0.5
    assert base < 0.5
    # Not noise either: colour says something, as it does from the air.
    assert base > 0.2


def test_config_names_the_classes_of_the_generator(repository):
    config = yaml.safe_load((repository / "configs" / "data" / "demo.yaml").read_text())
    assert Taxonomy.from_dict(config["taxonomy"]) == Taxonomy.from_dict(TAXONOMY)


def test_config_holds_the_channel_statistics_of_the_training_tiles(demo, repository):
    config = yaml.safe_load((repository / "configs" / "data" / "demo.yaml").read_text())
    colors, _ = _pixels(demo.root, "train", (demo.root / "train.txt").read_text().split())
    assert colors.mean(0) == pytest.approx(config["mean"], abs=2e-3)
    assert colors.std(0) == pytest.approx(config["std"], abs=2e-3)
