"""Stage 1 as a task of `run.py`."""

from terrashot.app.kinds.kind import TaskKind
from terrashot.app.run_folder import RunFolder
from terrashot.app.settings import Settings
from terrashot.data.layout import FewShotLayout
from terrashot.taxonomy import Taxonomy

_STAGE_2 = (
    "{group} is a setting of stage 2, but experiment={experiment} runs stage 1, which would ignore "
    "it. Leave {group} out, or run experiment=stage2."
)


class BaseSegmentationKind(TaskKind):
    """Training on the base classes."""

    name = "base_segmentation"
    needed = ("backbone", "decoder", "loss", "optimizer", "scheduler")
    refused = dict.fromkeys(
        (
            "similarity",
            "transition",
            "transduction",
            "solver",
            "method",
            "inference",
            "guidance",
            "postprocess",
            "support_weighting",
        ),
        _STAGE_2,
    )

    def check_tiles(self, layout: FewShotLayout) -> None:
        """Training and validation tiles."""
        assert layout.train
        assert layout.stage1_val

    def metrics(self, settings: Settings, taxonomy: Taxonomy) -> list[str]:
        """Losses and IoU of the base classes."""
        classes = taxonomy.base_only().names
        known = ["val/loss", "val/base_miou", "val/mean_miou", "val/pixel_accuracy"]
        return known + [f"val/iou/{c}" for c in classes]

    def run(self, settings: Settings, folder: RunFolder) -> None:
        """Train."""
        from terrashot.app.stage1 import run_base_segmentation

        run_base_segmentation(settings, folder)
