"""Mapping whole scenes as a task of `run.py`."""

from terrashot.app.kinds.kind import TaskKind
from terrashot.app.run_folder import RunFolder
from terrashot.app.settings import Settings
from terrashot.errors import ConfigError
from terrashot.taxonomy import Taxonomy

_ADAPTED = (
    "{group} has no part in mapping: experiment={experiment} takes network, head and classes from "
    "the adapted checkpoint. Leave {group} out, or give it to experiment=adapt."
)


class SceneMappingKind(TaskKind):
    """Georeferenced maps of whole scenes with an adapted model."""

    name = "scene_mapping"
    needed = ("mapping",)
    refused = dict.fromkeys(
        (
            "backbone",
            "decoder",
            "loss",
            "optimizer",
            "scheduler",
            "similarity",
            "transition",
            "transduction",
            "solver",
            "method",
            "inference",
            "guidance",
            "support_weighting",
        ),
        _ADAPTED,
    )
    trains = False

    def check(self, settings: Settings, taxonomy: Taxonomy) -> None:
        """Checkpoint, all scenes and the output folder, before anything is computed."""
        from terrashot.app.predict import check_mapping

        check_mapping(settings)

    def metrics(self, settings: Settings, taxonomy: Taxonomy) -> list[str]:
        """None: a scene has no labels."""
        if settings.optimized_metric is not None:
            raise ConfigError("optimized_metric: a map of unlabelled scenes has no score.")
        return []

    def run(self, settings: Settings, folder: RunFolder) -> None:
        """Map."""
        from terrashot.app.predict import run_scene_mapping

        run_scene_mapping(settings, folder)
