"""Write the published stage-1 checkpoint of ClassTrans as one of terrashot's.

terrashot import FILE.pth --output classtrans.ckpt

FILE.pth is the state dict of the published network (UPerNet on CLIP ConvNeXt-L, trained on
OpenEarthMap): 392 tensors, plain or as DataParallel names them. Every tensor has its place, or
nothing is written. Stage 2 also takes FILE.pth itself as checkpoint=FILE.pth.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from terrashot.cli.command import make_parser, run_command
from terrashot.errors import CheckpointError, ConfigError
from terrashot.model.checkpoints import STAGE1, write_checkpoint
from terrashot.model.classtrans_file import from_classtrans
from terrashot.model.stage1_file import describe, load_base_model
from terrashot.networks.checkpoint_file import read_content


def main(arguments: Sequence[str]) -> int:
    """Parse the command line, read, write, return the exit code."""
    parser = make_parser("import", __doc__)
    parser.add_argument("file", type=Path, metavar="FILE", help="the published checkpoint")
    parser.add_argument("--output", type=Path, required=True, metavar="CKPT")
    options = parser.parse_args(arguments)
    return run_command(lambda: _import(options, Console()), interrupted="stopped")


def _import(arguments: argparse.Namespace, console: Console) -> int:
    file, output = arguments.file, arguments.output
    if os.path.lexists(output):
        raise ConfigError(f"{output} is there already and is left as it is. Name another --output.")
    if from_classtrans(file, read_content(file, mmap=True)) is None:
        raise CheckpointError(
            f"{file} is not the published stage-1 checkpoint of ClassTrans, whose tensors are "
            "named model.encoder.*, model.decoder.* and classifier.*. A stage-1 checkpoint of "
            "terrashot goes to stage 2 as it is: checkpoint=PATH."
        )
    base = load_base_model(file)
    header = {**describe(base.segmenter, base.taxonomy), "origin": base.origin}
    write_checkpoint(output, STAGE1, header, base.segmenter.state_dict())
    console.print(f"{file}: {base.origin}", highlight=False, soft_wrap=True)
    console.print(
        f"{output}: stage-1 network of {', '.join(base.taxonomy.names)}\n"
        f"next: python run.py experiment=stage2_paper checkpoint={output}",
        highlight=False,
        soft_wrap=True,
    )
    return 0
