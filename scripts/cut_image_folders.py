r"""Cut labelled tiles into folders of images by class, as experiment=weak_shot takes them.

    python scripts/cut_image_folders.py ../shared/data/dubai/trainset photos/train \
        --classes 1=building 2=land 3=road --tiles ../shared/data/dubai/train.txt
    python scripts/cut_image_folders.py ../shared/data/dubai/testset photos/test \
        --classes 4=vegetation 5=water
    python scripts/cut_image_folders.py ../shared/data/dubai/valset photos/web \
        --classes 4=vegetation 5=water --wrong 0.4 --outliers photos/train

Windows do not overlap; one whose pixels are mostly of a class is an image of it. With --wrong a
share of each class is spoilt: one half shows another of the classes, the other half is taken
from the folders of --outliers, which should hold classes that are none of these.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import rasterio
import rasterio.errors
from PIL import Image


def cut(
    folder: Path, names: list[str], ids: dict[int, str], size: int, share: float
) -> dict[str, list[np.ndarray]]:
    """Windows ``[size, size, 3]`` of each class, tile by tile."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in ids.values()}
    for tile in names:
        with rasterio.open(folder / "labels" / tile) as source:
            label = source.read(1)
        with rasterio.open(folder / "images" / tile) as source:
            image = np.moveaxis(source.read((1, 2, 3)), 0, -1)
        for top in range(0, label.shape[0] - size + 1, size):
            for left in range(0, label.shape[1] - size + 1, size):
                window = slice(top, top + size), slice(left, left + size)
                counts = np.bincount(label[window].ravel(), minlength=256)
                largest = int(counts.argmax())
                if largest in ids and counts[largest] >= share * size * size:
                    found[ids[largest]].append(image[window])
    return found


def spoil(
    images: dict[str, list[np.ndarray]], wrong: float, outliers: list[np.ndarray], seed: int
) -> dict[str, list[np.ndarray]]:
    """The same numbers of images, a share of each class wrong."""
    random = np.random.default_rng(seed)
    spoilt = {}
    for name, own in images.items():
        number = round(wrong * len(own))
        others = [image for other, found in images.items() if other != name for image in found]
        strange = number // 2 if others else number
        kept = random.permutation(len(own))[number:]
        spoilt[name] = [
            *(own[i] for i in kept),
            *(outliers[i] for i in random.permutation(len(outliers))[:strange]),
            *(others[i] for i in random.permutation(len(others))[: number - strange]),
        ]
    return spoilt


def main() -> None:
    """Write the folders that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="holds images/ and labels/")
    parser.add_argument("out", type=Path, help="gets a folder a class; its own, not there yet")
    parser.add_argument("--classes", nargs="+", required=True, metavar="ID=NAME")
    parser.add_argument("--tiles", type=Path, help="a file of names, one a line (default: all)")
    parser.add_argument("--window", type=int, default=64, help="side in pixels (64)")
    parser.add_argument("--share", type=float, default=0.6, help="of the class in a window (0.6)")
    parser.add_argument("--most", type=int, default=150, help="images of a class (150)")
    parser.add_argument("--wrong", type=float, default=0.0, help="share of wrong labels (0)")
    parser.add_argument("--outliers", type=Path, help="folders by class, for wrong labels")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.filterwarnings("ignore", category=rasterio.errors.NotGeoreferencedWarning)
    ids = {int(i): name for i, name in (pair.split("=", 1) for pair in options.classes)}
    taken = [name for name in ids.values() if (options.out / name).exists()]
    if taken:
        parser.error(f"{options.out / taken[0]} is there already")
    if options.tiles is None:
        names = sorted(path.name for path in (options.folder / "labels").glob("*.tif"))
    else:
        names = options.tiles.read_text(encoding="utf-8").split()
    random = np.random.default_rng(options.seed)
    images = {
        name: [found[i] for i in sorted(random.permutation(len(found))[: options.most])]
        for name, found in cut(options.folder, names, ids, options.window, options.share).items()
    }
    if options.wrong:
        if options.outliers is None:
            parser.error("--wrong needs --outliers=FOLDER")
        paths = sorted(options.outliers.rglob("*.png"))
        outliers = [np.asarray(Image.open(path)) for path in paths]
        images = spoil(images, options.wrong, outliers, options.seed)
    for name, found in images.items():
        folder = options.out / name
        folder.mkdir(parents=True)
        for i, image in enumerate(found):
            Image.fromarray(image).save(folder / f"{i:04d}.png")
        print(f"{folder}: {len(found)} images")


if __name__ == "__main__":
    main()
