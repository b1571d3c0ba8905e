"""Folders of tiny images, laid out as the datasets of SimTrans are."""

from pathlib import Path
from zlib import crc32

import numpy as np
from PIL import Image

BASE = ["001.Black_footed_Albatross", "002.Laysan_Albatross", "003.Sooty_Albatross", "005.Auklet"]
NOVEL = ["004.Groove_billed_Ani", "012.Yellow_headed_Blackbird"]  # of the published list


def draw(path: Path, seed: int, size: tuple[int, int] = (20, 14)) -> Path:
    """An image of one colour, by seed, with noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = np.random.default_rng(seed).integers(40, 215, 3)
    noise = np.random.default_rng(crc32(path.name.encode())).normal(0, 12, (*size, 3))
    Image.fromarray((colour + noise).clip(0, 255).astype(np.uint8)).save(path)
    return path


def make_cub(root: Path, train: int = 6, test: int = 4, web: int = 8) -> Path:
    """``CUB_200_2011`` with its lists, and ``CUB_web``."""
    names, split = [], []
    for seed, label in enumerate(sorted(BASE + NOVEL)):
        for i in range(train + test):
            name = f"{label}/image_{i:04d}.jpg"
            draw(root / "CUB_200_2011" / "images" / name, seed, (14 + i, 20))
            names.append(name)
            split.append(int(i < train))
        for i in range(web if label in NOVEL else 0):
            draw(root / "CUB_web" / label / f"{i}.jpg", seed if i % 4 else seed + 1)
    lists = root / "CUB_200_2011"
    rows = [f"{i} {name}" for i, name in enumerate(names, 1)]
    (lists / "images.txt").write_text("\n".join(rows) + "\n")
    rows = [f"{i} {part}" for i, part in enumerate(split, 1)]
    (lists / "train_test_split.txt").write_text("\n".join(rows) + "\n")
    return root


def make_plain(root: Path, classes: int = 5, images: int = 10) -> Path:
    """``CLASS/IMAGE`` and a list of novel classes."""
    for label in range(classes):
        for i in range(images):
            draw(root / f"class {label}" / f"{i:02d}.png", label)
    (root / "novel.txt").write_text("class 3\nclass 4\n")
    return root
