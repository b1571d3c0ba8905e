"""Pictures and tables to whichever loggers can take them."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only
from matplotlib.figure import Figure

from terrashot.reporting.figures import figure_to_array
from terrashot.reporting.panels import Panel
from terrashot.taxonomy import IGNORE, Taxonomy


@rank_zero_only
def log_picture(loggers: Iterable[Logger], name: str, picture: np.ndarray, step: int) -> None:
    """Log a picture (uint8 [H, W, 3]) to wandb and TensorBoard; other loggers take none."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.log_image(name, [picture], step=step)
        elif isinstance(logger, TensorBoardLogger):
            logger.experiment.add_image(name, picture, step, dataformats="HWC")


@rank_zero_only
def log_figure(loggers: Iterable[Logger], name: str, figure: Figure, step: int) -> None:
    """Log a figure, as ``log_picture``; it is not drawn where no logger takes pictures."""
    takers = [k for k in loggers if isinstance(k, WandbLogger | TensorBoardLogger)]
    if takers:
        log_picture(takers, name, figure_to_array(figure), step)


@rank_zero_only
def log_pictures(
    loggers: Iterable[Logger],
    name: str,
    pictures: Sequence[np.ndarray],
    captions: Sequence[str],
    step: int,
) -> None:
    """Log several pictures (uint8 [H, W, 3]) under one name, as ``log_picture``."""
    if not pictures:
        return
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.log_image(name, list(pictures), step=step, caption=list(captions))
        elif isinstance(logger, TensorBoardLogger):
            for number, picture in enumerate(pictures):
                logger.experiment.add_image(f"{name}/{number}", picture, step, dataformats="HWC")


@rank_zero_only
def log_table(
    loggers: Iterable[Logger],
    name: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    step: int,
) -> None:
    """Log a table to wandb (its own kind of table) and TensorBoard (as Markdown text)."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.log_table(name, columns=list(columns), data=[list(r) for r in rows], step=step)
        elif isinstance(logger, TensorBoardLogger):
            lines = [columns, ["---"] * len(columns), *rows]
            text = "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
            logger.experiment.add_text(name, text, step)


@rank_zero_only
def log_panels(
    loggers: Iterable[Logger],
    name: str,
    panels: Sequence[Panel],
    pictures: Sequence[np.ndarray],
    taxonomy: Taxonomy,
    step: int,
) -> None:
    """Log tiles with their truth and prediction.

    Args:
        loggers: All loggers of the trainer.
        name: The metric-like name, for example ``val/panels``.
        panels: The tiles; wandb gets the image with both maps as switchable class masks.
        pictures: The drawn panels, for loggers that know no masks.
        taxonomy: Names of the classes.
        step: The trainer's global step.
    """
    if not panels:
        return
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            masks = [_masks(panel, taxonomy) for panel in panels]
            logger.log_image(
                name,
                [panel.image for panel in panels],
                step=step,
                caption=[panel.name for panel in panels],
                masks=masks,
            )
        elif isinstance(logger, TensorBoardLogger):
            for panel, picture in zip(panels, pictures, strict=True):
                tag = f"{name}/{panel.name}"
                logger.experiment.add_image(tag, picture, step, dataformats="HWC")


def _masks(panel: Panel, taxonomy: Taxonomy) -> dict[str, dict[str, Any]]:
    labels = {c.index: c.name for c in taxonomy.classes}
    labels[IGNORE] = "no label"
    return {
        "prediction": {"mask_data": panel.prediction, "class_labels": labels},
        "ground_truth": {"mask_data": panel.truth, "class_labels": labels},
    }
