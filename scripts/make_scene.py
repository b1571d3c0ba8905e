"""Make a large synthetic scene, to try out and to time whole-scene maps.

    python scripts/make_scene.py --size 20000 data/scenes/large.tif

The scene is a mosaic of the demo set's landscapes as a tiled GeoTIFF in UTM (0.35 m), with its true
classes in <name>_labels.tif beside it; memory does not follow its size.
"""

import argparse
import time
from pathlib import Path

from terrashot.demo.large import make_large_scene


def main() -> None:
    """Make the scene that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path, help="the GeoTIFF to write")
    parser.add_argument("--size", type=int, default=4096, help="side in pixels (4096)")
    parser.add_argument("--width", type=int, help="columns, where they differ from --size")
    parser.add_argument("--seed", type=int, default=0, help="another seed, another scene (0)")
    options = parser.parse_args()
    if options.size < 1 or (options.width or 1) < 1:
        parser.error("--size and --width count pixels; they must be 1 or more")
    began = time.perf_counter()
    width = options.width or options.size
    labels = make_large_scene(options.path, options.size, width, options.seed)
    seconds = time.perf_counter() - began
    print(f"{options.path} ({width} x {options.size}) and {labels} in {seconds:.0f} s")


if __name__ == "__main__":
    main()
