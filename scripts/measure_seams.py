"""How much a map of windows differs from a map in one piece, with and without local normalisation.

    python scripts/make_scene.py --size 2048 scene.tif
    python scripts/measure_seams.py logs/adapt/latest scene.tif --labels scene_labels.tif

A cut of the scene is mapped as one window and as blended windows. Printed are the share of pixels
of the same class, overall and where windows overlap, and with --labels the accuracy of both. The
one piece must fit into memory: about 1 GB at 1792 x 1792 with mobilenetv2. With --picture the two
maps and where they differ are written beside each other.
"""

import argparse
from pathlib import Path

import numpy as np
import rasterio
import torch
from PIL import Image
from rasterio.windows import Window
from rich.console import Console
from rich.table import Table
from torch import Tensor

from terrashot.mapping.blending import Blender, Layers
from terrashot.mapping.plan import WindowPlan
from terrashot.model.adapted_file import find_adapted_file, load_adapted_model
from terrashot.model.adapted_model import AdaptedModel
from terrashot.model.even_upsampling import upsample_evenly
from terrashot.model.local_norm import normalise_locally


def map_windows(model: AdaptedModel, image: Tensor, plan: WindowPlan) -> Tensor:
    """Classes [H, W] of ``image`` [1, 3, H, W], window by window."""
    blender, rows = Blender(plan, Layers()), []
    size = plan.rows.size
    for row, top in enumerate(plan.rows.starts):
        out = blender.start_row(row)
        for column, left in enumerate(plan.columns.starts):
            window = model(image[:, :, top : top + size, left : left + size])[0].clone()
            valid = torch.ones(window.shape[1:], dtype=torch.bool)
            blender.add(row, column, window, valid, out)
        rows.append(out[0])
    return torch.cat(rows)


def overlaps(plan: WindowPlan) -> Tensor:
    """Pixels that more than one window sees, bool [H, W]."""
    sides = []
    for axis in (plan.rows, plan.columns):
        seen = np.zeros(axis.length, dtype=int)
        for start in axis.starts:
            seen[start : start + axis.size] += 1
        sides.append(torch.from_numpy(seen > 1))
    return sides[0][:, None] | sides[1][None, :]


def draw(path: Path, model: AdaptedModel, image: Tensor, whole: Tensor, windows: Tensor) -> None:
    """Image, map in one piece, map of windows, and the pixels that differ in red."""
    palette = model.taxonomy.palette()
    photo = (image[0].permute(1, 2, 0) * 255).byte().numpy()
    differ = np.full(photo.shape, 255, dtype=np.uint8)
    differ[(whole != windows).numpy()] = (220, 30, 30)
    panels = [photo, palette[whole.numpy()], palette[windows.numpy()], differ]
    Image.fromarray(np.concatenate(panels, axis=1)).save(path)


@torch.no_grad()
def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path, help="an adapted file or its run folder")
    parser.add_argument("scene", type=Path, help="a GeoTIFF of 8 bits and three bands")
    parser.add_argument("--labels", type=Path, help="its class ids; 255 and 0 are not scored")
    parser.add_argument("--side", type=int, default=1792, help="of the cut, a multiple of 32")
    parser.add_argument("--window", type=int, default=1024)
    parser.add_argument("--overlap", type=int, default=256)
    parser.add_argument("--norm-side", type=int, default=256, help="see mapping.norm_side")
    parser.add_argument("--picture", type=Path, help="a PNG of the last row of the table")
    options = parser.parse_args()
    cut = Window(0, 0, options.side, options.side)
    with rasterio.open(options.scene) as file:
        image = torch.from_numpy(file.read(window=cut))[None].float() / 255
    labels = None
    if options.labels is not None:
        with rasterio.open(options.labels) as file:
            labels = torch.from_numpy(file.read(1, window=cut))
    height, width = image.shape[-2:]
    plan = WindowPlan.of(height, width, options.window, options.overlap)
    doubled = overlaps(plan)
    table = Table(title=f"{options.scene.name}, {width} x {height}, windows {plan.rows.starts}")
    for name in ("network", "same class %", "in overlaps %", "accuracy whole", "windows"):
        table.add_column(name, justify="right")
    for kind, even, norm_side in (
        ("as trained", False, None),
        ("even upsampling", True, None),
        (f"and norm over {options.norm_side}", True, options.norm_side),
    ):
        model = load_adapted_model(find_adapted_file(options.checkpoint))
        normalise_locally(model, norm_side)
        if even:
            upsample_evenly(model)
        whole = model(image)[0].argmax(0)
        windows = map_windows(model, image, plan)
        same = (whole == windows).double()
        row = [kind, f"{100 * same.mean():.2f}", f"{100 * same[doubled].mean():.2f}"]
        if labels is not None:
            scored = (labels != 0) & (labels != 255)
            row += [f"{(m == labels)[scored].double().mean():.3f}" for m in (whole, windows)]
        table.add_row(*row)
    Console().print(table)
    if options.picture is not None:
        draw(options.picture, model, image, whole, windows)


if __name__ == "__main__":
    main()
