"""The masks of SBD (Hariharan et al., 2011): as MATLAB files, or as the PNG files made of them."""

from pathlib import Path

import numpy as np
from PIL import Image

from terrashot.data.statistics import cache_folder, fingerprint
from terrashot.errors import DataError
from terrashot.files import atomic_write

_PLACES = ("", "cls", "dataset/cls", "SegmentationClassAug")


def sbd_masks(folder: Path, root: Path) -> dict[str, Path]:
    """The mask of each image: a PNG file by name.

    MATLAB files (``GTcls.Segmentation``) are written as PNG once, to ``ROOT/.terrashot/sbd_...``,
    or to the cache folder where the root is read-only.

    Args:
        folder: Holds ``NAME.png`` or ``NAME.mat``, itself or in ``cls/``, ``dataset/cls/`` or
            ``SegmentationClassAug/``.
        root: The folder of VOC.

    Raises:
        DataError: no such masks, or a damaged file.
    """
    for place in _PLACES:
        for suffix in (".png", ".mat"):
            files = sorted((folder / place).glob(f"*{suffix}"))
            if not files:
                continue
            if suffix == ".mat":
                files = _as_png(files, root)
            return {file.stem: file for file in files}
    raise DataError(
        f"data.sbd is {folder}, but there are neither NAME.png nor NAME.mat in it or in "
        f"{', '.join(p + '/' for p in _PLACES if p)}. Give the unpacked benchmark_RELEASE of SBD "
        "or the folder SegmentationClassAug, or data.sbd=null for the masks of VOC alone."
    )


def _as_png(files: list[Path], root: Path) -> list[Path]:
    name = f"sbd_{fingerprint(files)}"
    for place in (root / ".terrashot" / name, cache_folder() / name):
        try:
            return [_converted(file, place / f"{file.stem}.png") for file in files]
        except OSError:
            continue  # read-only or full: the next place
    raise DataError(
        f"The masks of SBD can be written neither below {root} nor to {cache_folder()}. Name a "
        "folder that can with the environment variable TERRASHOT_CACHE."
    )


def _converted(file: Path, target: Path) -> Path:
    if not target.is_file():
        mask = _segmentation(file)
        with atomic_write(target) as temporary:
            Image.fromarray(mask).save(temporary)
    return target


def _segmentation(file: Path) -> np.ndarray:
    from scipy.io import loadmat

    try:
        mask = loadmat(file, squeeze_me=True, struct_as_record=False)["GTcls"].Segmentation
        return np.ascontiguousarray(mask, dtype=np.uint8)
    except Exception as error:  # MATLAB's format has many ways to be wrong
        raise DataError(
            f"{file} holds no mask GTcls.Segmentation ({error}). Unpack SBD again."
        ) from error
