"""From the settings of ``data.scenes`` to scenes and labels."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from terrashot.errors import ConfigError
from terrashot.tasks.settings.data import SceneSettings

if TYPE_CHECKING:
    from terrashot.data.scenes.source import SceneSource

SCENES = "scenes"
"""The kind of data."""
_OF_TILES = (
    "split",
    "support_draw",
    "train_share",
    "eval_size",
    "eval_nearest",
    "labels",
    "stage1_val",
    "stage1_val_in_training",
)
"""Settings of tiles that nothing reads where whole scenes are trained on."""


def scene_source(data: Any) -> "SceneSource | None":  # noqa: ANN401 - settings of any data
    """The scenes that a run trains on; None where it has tiles.

    Raises:
        ConfigError: settings that do not go together.
    """
    scenes = getattr(data, "scenes", None)
    if data.kind != SCENES or not isinstance(scenes, SceneSettings):
        return None
    if scenes.labels is None:
        raise ConfigError(
            "data.scenes.labels has no value, so there is nothing to learn from. Name the vector "
            "file with data.scenes.labels=FILE, or choose a dataset of tiles with data=NAME."
        )
    # Late: a run of tiles that is refused waits for no torch.
    from terrashot.data.scenes.source import SceneSource

    return SceneSource(**{**asdict(scenes), "images": scenes.images or data.root})


def name_classes(data: Any) -> None:  # noqa: ANN401 - settings that have ``scenes``
    """Write the classes of the layer into ``data.taxonomy``, as far as it leaves them open.

    Raises:
        ConfigError: settings that would have no say, or a class that the taxonomy does not name.
        DataError: the layer can't be read.
    """
    source = scene_source(data)
    if source is None:
        _check_unused(data)
        return
    for name in _OF_TILES:
        if getattr(data, name) != getattr(type(data)(), name):
            raise ConfigError(
                f"data.{name} is of a dataset of tiles; with data.scenes.labels nothing would read "
                "it. Leave it out."
            )
    found = source.objects.names
    taxonomy = {**data.taxonomy}
    novel = _names(taxonomy.get("novel"))
    if not taxonomy.get("base"):
        taxonomy["base"] = [name for name in found if name not in novel]
    background = _names([taxonomy["background"]]) if taxonomy.get("background") else []
    known = [*background, *_names(taxonomy["base"]), *novel]
    strange = [name for name in found if name not in known]
    if strange:
        raise ConfigError(
            f"{source.objects.name} has objects of {', '.join(strange)}, which data.taxonomy does "
            f"not name: it has {', '.join(known)}. Leave data.taxonomy.base out, and the classes "
            "of the layer are taken; or list these under data.taxonomy.novel, and stage 1 takes "
            "them for background."
        )
    data.taxonomy = taxonomy


def _check_unused(data: Any) -> None:  # noqa: ANN401 - settings that have ``scenes``
    """Raise a ConfigError where scenes are described beside tiles."""
    unset = SceneSettings()
    for name, value in vars(data.scenes).items():
        if value != getattr(unset, name):
            raise ConfigError(
                f"data.scenes.{name} is of whole scenes, but data={data.name} has tiles, and "
                "nothing would read it. Leave it out, or choose data=scenes."
            )


def _names(classes: Any) -> list[str]:  # noqa: ANN401 - as a config has them
    return [str(c["name"]) if isinstance(c, dict) else str(c) for c in classes or []]
