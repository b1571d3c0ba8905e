"""What computes the network over a scene: PyTorch, or ONNX Runtime where that is faster."""

from terrashot.errors import ConfigError
from terrashot.mapping.plan import WindowPlan
from terrashot.model.export import check_onnx, missing_for_onnx
from terrashot.model.precision import FULL
from terrashot.model.views import Views

AUTO, TORCH, ONNX = "auto", "torch", "onnxruntime"
ENGINES = (AUTO, TORCH, ONNX)
_WORTH = 32 * 1024**2
"""Pixels through the network from which on ONNX Runtime has made up for capturing it.

Capturing takes as long as some ten windows of 1024 pixels, and so much is won with half of these.
"""


def resolve_engine(engine: str, precision: str, accelerator: str) -> str:
    """What ``mapping.engine`` comes to: ``auto`` becomes ``torch`` where nothing else can compute.

    Args:
        engine: one of ``ENGINES``.
        precision: ``32-true`` or ``bf16-mixed``.
        accelerator: ``cpu`` or another one.

    Raises:
        ConfigError: the engine can't compute as it is asked to.
    """
    if engine == AUTO:
        able = accelerator == "cpu" and precision == FULL and not missing_for_onnx()
        return AUTO if able else TORCH
    if engine == ONNX:
        _check_onnx_runtime(precision, accelerator)
    return engine


def scene_engine(engine: str, plan: WindowPlan, views: str) -> str:
    """``torch`` or ``onnxruntime``, where ``auto`` leaves it open.

    It hangs on the scene alone: a run that is repeated with others beside it, or in parts, finds
    its maps and rows again.

    Args:
        engine: what ``resolve_engine`` has returned.
        plan: the windows of the scene.
        views: of each window.
    """
    if engine != AUTO:
        return engine
    pixels = plan.windows * plan.rows.size * plan.columns.size * Views(views).count
    return ONNX if pixels >= _WORTH else TORCH


def _check_onnx_runtime(precision: str, accelerator: str) -> None:
    check_onnx("mapping.engine=onnxruntime")
    if accelerator != "cpu":
        raise ConfigError(
            f"mapping.engine=onnxruntime computes on the processor, but the accelerator is "
            f"{accelerator}. Set trainer.accelerator=cpu, or mapping.engine=torch."
        )
    if precision != FULL:
        raise ConfigError(
            f"mapping.engine=onnxruntime computes in {FULL}, but the precision is {precision}. Set "
            f"trainer.precision={FULL}, or mapping.engine=torch."
        )
