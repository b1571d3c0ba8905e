"""Training a SimNet as a task of `run.py`."""

from pathlib import Path

from terrashot.app.kinds.kind import TaskKind
from terrashot.app.run_folder import RunFolder
from terrashot.app.settings import Settings
from terrashot.data.layout import FewShotLayout
from terrashot.errors import ConfigError
from terrashot.taxonomy import Taxonomy

NO_STAGE_2 = dict.fromkeys(
    (
        "similarity",
        "transition",
        "transduction",
        "solver",
        "method",
        "inference",
        "guidance",
        "support_weighting",
        "postprocess",
    ),
    "{group} is a setting of stage 2, but experiment={experiment} trains on windows or pixels and "
    "would ignore it. Leave {group} out, or run experiment=stage2.",
)


class SimNetKind(TaskKind):
    """Training a SimNet on base classes."""

    name = "sim_net"
    needed = ("units", "optimizer", "scheduler")
    refused = NO_STAGE_2

    def check(self, settings: Settings, taxonomy: Taxonomy) -> None:
        """Numbers, names of classes, and what two optimizers by hand rule out."""
        units = settings.units
        assert units is not None
        if units.kind not in ("windows", "pixels"):
            raise ConfigError(f"units.kind is '{units.kind}', but it must be windows or pixels.")
        least = {"batch_size": 2, "classes": 2, "novel_classes": 1, "val_per_class": 4}
        for key, low in {**least, "per_tile": 1}.items():
            if getattr(units, key) < low:
                raise ConfigError(
                    f"units.{key} is {getattr(units, key)}, but at least {low} needed."
                )
        if units.beta < 0:
            raise ConfigError(f"units.beta is {units.beta}, but it must be 0 or above.")
        if settings.trainer.gradient_clip_val is not None:
            raise ConfigError(
                "trainer.gradient_clip_val cannot be used with SimNet, whose two optimizers step "
                "by hand. Set trainer.gradient_clip_val=null."
            )
        if settings.trainer.accumulate_grad_batches != 1:
            raise ConfigError(
                "trainer.accumulate_grad_batches must be 1 with SimNet, whose pairs are formed "
                "inside one batch. Raise units.batch_size instead."
            )
        names = [c.name for c in taxonomy.base]
        held = units.held_out
        if held is not None and (not held or not set(held) <= set(names)):
            raise ConfigError(
                f"units.held_out is {held}, but it needs one or more of the base classes "
                f"{', '.join(names)}; null chooses."
            )
        if len(names) - len(held or names[:1]) < 2:
            raise ConfigError(
                f"SimNet trains on at least two base classes beside the held-out ones, but "
                f"data={settings.data.name} has {', '.join(names)} in all. Hold fewer out with "
                "units.held_out, or use data with more base classes."
            )
        if units.kind == "windows" and settings.backbone is None:
            raise ConfigError(
                "backbone is null, but units=windows trains one. Choose one, for example "
                "backbone=mobilenetv2."
            )
        self.inputs(settings)

    def inputs(self, settings: Settings) -> list[Path]:
        """For pixels the stage-1 checkpoint that their features come from."""
        if settings.units is None or settings.units.kind != "pixels":
            return []
        from terrashot.app.stage1_checkpoint import stage1_checkpoint

        return [stage1_checkpoint(settings)]

    def check_tiles(self, layout: FewShotLayout) -> None:
        """Training, validation and support tiles."""
        assert layout.train
        assert layout.stage1_val
        assert layout.support

    def metrics(self, settings: Settings, taxonomy: Taxonomy) -> list[str]:
        """Scores on pairs of held-out classes."""
        return ["val/pair_ap", "val/pair_f1"]

    def run(self, settings: Settings, folder: RunFolder) -> None:
        """Train."""
        from terrashot.app.sim_net import run_sim_net

        run_sim_net(settings, folder)
