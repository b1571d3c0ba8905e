"""Write an adapted model as ONNX and as a torch.export program, checked against the model itself.

terrashot export logs/adapt/latest --output export --image tile.tif
terrashot export adapted.ckpt --format onnx --output export --size 1024 --fixed-size
terrashot export adapted.ckpt --format deepness --output export --size 512 --resolution 30

Input: uint8 RGB [batch, 3, height, width], or for a network of other imagery its channels with the
values of the files, float32 where they are not 8-bit. Outputs: classes, uint8 [batch, height,
width], and probabilities. Class names and colours stand in the files. The method's mirrored views
are left out unless --views asks for them: they cost four times the time, and a caller can mirror
too.
--format deepness writes an ONNX file for the QGIS plug-in of that name, which maps without
terrashot: float32 RGB in 0..1 [1, 3, --size, --size] to probabilities, and the metadata it reads.
Exit code: 0 the files agree with the model, 1 they do not, or an error; 2 wrong usage.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from terrashot.cli.command import make_parser, run_command
from terrashot.data.raster import read_pixels
from terrashot.errors import ConfigError
from terrashot.files import check_not_read
from terrashot.image_spec import ImageSpec
from terrashot.mapping.scene import inspect_scene, opened
from terrashot.model.adapted_file import find_adapted_file, load_adapted_model
from terrashot.model.agreement import (
    Runner,
    compare,
    deepness_runner,
    onnx_runner,
    torch_runner,
)
from terrashot.model.deepness import save_deepness
from terrashot.model.export import (
    MapProgram,
    check_onnx,
    describe_export,
    export_program,
    input_type,
    save_onnx,
    save_torch,
)
from terrashot.model.views import VIEWS
from terrashot.ranges import check_range

_FORMATS: dict[str, tuple[str, Callable[[Path], Runner]]] = {
    "onnx": ("adapted.onnx", onnx_runner),
    "torch": ("adapted.pt2", torch_runner),
    "deepness": ("adapted_deepness.onnx", deepness_runner),
}
_DEFAULT = ["onnx", "torch"]


def main(arguments: Sequence[str]) -> int:
    """Parse the command line, export, check, return the exit code."""
    parser = make_parser("export", __doc__)
    parser.add_argument("checkpoint", metavar="CKPT", help="adapted.ckpt or its run folder")
    parser.add_argument("--format", nargs="+", choices=list(_FORMATS), default=_DEFAULT)
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--size", type=int, default=512, help="side of the example image")
    parser.add_argument("--fixed-size", action="store_true", help="height and width are --size")
    parser.add_argument("--views", choices=VIEWS, default="plain", help="views inside the program")
    parser.add_argument(
        "--resolution", type=float, metavar="CM", help="of a pixel, for --format deepness"
    )
    parser.add_argument(
        "--image", type=Path, nargs="+", default=[], metavar="TILE", help="tiles to check with"
    )
    options = parser.parse_args(arguments)
    return run_command(lambda: _export(options, Console()))


def _export(arguments: argparse.Namespace, console: Console) -> int:
    if {"onnx", "deepness"} & set(arguments.format):
        check_onnx()
    if arguments.resolution is not None:
        if "deepness" not in arguments.format:
            raise ConfigError("--resolution goes with --format deepness alone. Leave it out.")
        check_range("--resolution", arguments.resolution, above=0, why="centimetres of a pixel")
    checkpoint = find_adapted_file(arguments.checkpoint)
    files = [arguments.output / _FORMATS[name][0] for name in arguments.format]
    check_not_read(files, [checkpoint, *arguments.image], "Name another --output folder.")
    model = load_adapted_model(checkpoint)
    images = _images(arguments, model.segmenter.spec)
    program = MapProgram(model, arguments.views)
    metadata = describe_export(model, arguments.views)
    if set(arguments.format) & set(_DEFAULT):
        with console.status("capturing the network", spinner="line"):
            exported = export_program(program, arguments.size, not arguments.fixed_size)
    passed = True
    for name, file in zip(arguments.format, files, strict=True):
        runner = _FORMATS[name][1]
        fixed = arguments.fixed_size or name == "deepness"
        side = arguments.size if fixed else None
        with console.status(f"writing {file}", spinner="line"):
            if name == "deepness":
                views, resolution = arguments.views, arguments.resolution
                save_deepness(program, file, arguments.size, views, resolution)
            else:
                (save_onnx if name == "onnx" else save_torch)(exported, file, metadata)
            run = runner(file)
        for tile, image in images.items():
            image = image[:, :side, :side]
            found = compare(program, run, image, side)
            passed &= found.passed
            line = (
                f"{file.name}  {tile}: {found.share:.6%} of {found.pixels} pixels have the model's "
                f"class, {found.other} another ({found.ties} of them ties); probabilities differ "
                f"by {found.largest:.1e} at most"
            )
            console.print(line, highlight=False, soft_wrap=True)
    verdict = "every pixel has the model's class, ties aside" if passed else "NOT the same map"
    console.print(f"{arguments.output}/: {verdict}", highlight=False, soft_wrap=True)
    return 0 if passed else 1


def _images(arguments: argparse.Namespace, spec: ImageSpec) -> dict[str, np.ndarray]:
    """Pictures to check with [C, H, W], of the program's type; noise where none are given."""
    dtype = str(input_type(spec)).removeprefix("torch.")
    if not arguments.image:
        shape = (spec.channels, arguments.size, arguments.size)
        pairs = np.array(spec.scale or [(0, 256)] * spec.channels)[:, :, None, None]
        drawn = np.random.default_rng(0).uniform(pairs[:, 0], pairs[:, 1], shape)
        return {"noise": drawn.astype(dtype)}
    images = {}
    for path in arguments.image:
        scene = inspect_scene(path, spec)
        with opened(path) as source:
            images[path.name] = read_pixels(source, scene.raster)[0].astype(dtype)
    return images
