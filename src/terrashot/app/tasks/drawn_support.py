"""``support``: novel classes from drawn labels in place of the support tiles of a dataset."""

from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

from terrashot.errors import ConfigError
from terrashot.tasks.bench import Bench, Run
from terrashot.tasks.of_data import names_classes, taxonomy_of
from terrashot.tasks.settings.data import ON_GROUND, LayerSettings
from terrashot.tasks.settings.field import setting
from terrashot.tasks.settings.runs import StageTwoSettings

if TYPE_CHECKING:
    from terrashot.data.labels.layer import Layer
    from terrashot.data.support_windows import SupportWindows
    from terrashot.model.drawn_labels import DrawnLabels
    from terrashot.taxonomy import Taxonomy

QUERIES = "queries"


@dataclass
class DrawnSettings(LayerSettings):
    """``support``: vector layers to learn from; see ``DrawnLabels``."""

    ring: float | None = setting(None, above=0, why=ON_GROUND)
    sure: float | None = setting(
        0.0, at_least=0, at_most=1, why="a probability; null trusts the frozen head with nothing"
    )
    window: int = setting(512, at_least=32, at_most=4096, why="the side of a window in pixels")
    bands: list[Any] | None = None
    scale: Any = None


class DrawnSupport:
    """What a run learns from drawn labels, and whether the data's queries can score it.

    Args:
        settings: Of the run.
        drawn: Its group ``support``, with labels.
        bench: Finds the stage-1 checkpoint.
    """

    def __init__(self, settings: StageTwoSettings, drawn: DrawnSettings, bench: Bench) -> None:
        self._settings = settings
        self._drawn = drawn
        self._bench = bench

    @cached_property
    def labels(self) -> "DrawnLabels":
        """The layers and images.

        Raises:
            ConfigError: values that can't be.
        """
        from terrashot.model.drawn_labels import DrawnLabels

        return DrawnLabels(**asdict(self._drawn))

    @cached_property
    def layer(self) -> "Layer":
        """The objects."""
        return self.labels.read()

    @cached_property
    def taxonomy(self) -> "Taxonomy":
        """The network's classes and those of the layer; the data's where they are the same."""
        from terrashot.model.drawn_labels import drawn_taxonomy
        from terrashot.model.stage1_file import load_base_classes

        known = load_base_classes(self._bench.stage1_checkpoint())
        own = taxonomy_of(self._settings) if names_classes(self._settings) else None
        return drawn_taxonomy(known, self.layer, own)

    @cached_property
    def windows(self) -> "SupportWindows":
        """The windows around the objects."""
        from terrashot.model.stage1_file import load_base_spec

        spec = load_base_spec(self._bench.stage1_checkpoint())
        return self.labels.windows(self.layer, self.taxonomy, spec)

    @property
    def unscored(self) -> str | None:
        """Why no query of the data can score the model; None where they can."""
        if not names_classes(self._settings):
            return f"data={self._settings.data.name} has no query tiles"
        data = taxonomy_of(self._settings)
        if self.taxonomy == data:
            return None
        return (
            f"the queries of data={self._settings.data.name} have the classes "
            f"{', '.join(data.names)}, the model has {', '.join(self.taxonomy.names)}; nothing of "
            "that data is read"
        )

    def tell(self, run: Run) -> None:
        """Say what is learned from, and what was left out."""
        counts = ", ".join(f"{n} of {name}" for name, n in self.layer.objects().items())
        run.say(f"labels: {self.layer.name} ({counts}), {len(self.windows)} window(s) around them")
        for note in self.windows.notes:
            run.say(note, style="yellow")


def drawn_support(settings: Any, bench: Bench) -> DrawnSupport | None:  # noqa: ANN401 - see below
    """The drawn labels of a run of ``experiment=adapt``; None where it learns from tiles.

    Raises:
        ConfigError: other settings of ``support`` without labels.
    """
    drawn: DrawnSettings = settings.support
    if drawn.labels is not None:
        return DrawnSupport(settings, drawn, bench)
    for item in fields(drawn):
        if getattr(drawn, item.name) != item.default:
            raise ConfigError(
                f"support.{item.name} is set, but support.labels has no value, so the support tiles"
                f" of data={settings.data.name} would be learned from. Name the layer with "
                f"support.labels=PATH, or leave support.{item.name} out."
            )
    return None


def check_drawn(settings: Any, support: DrawnSupport) -> None:  # noqa: ANN401 - AdaptOnceSettings
    """Everything that is read from layers and images, and settings that would have no say.

    Raises:
        ConfigError: settings that do not go together.
        DataError: a layer or image that can't be used.
    """
    _ = support.labels
    if settings.data.support_draw is not None:
        raise ConfigError(
            f"data.support_draw={settings.data.support_draw} draws support tiles of the data, but "
            "support.labels is what is learned from. Leave one of them out."
        )
    if settings.input.path == QUERIES:
        raise ConfigError(
            f"input={QUERIES} learns from the query tiles of the data, but with support.labels "
            "there are scenes: name them, or some of those that will be mapped, with input=PATH."
        )
    _ = support.windows
    why = support.unscored
    if why is not None and settings.postprocess is not None:
        raise ConfigError(
            f"postprocess mends the maps that are scored, but nothing is: {why}. Leave it out here "
            "and give it to experiment=predict."
        )
    if why is None and settings.adapt.evaluate and settings.data.demo_seed is None:
        _ = settings.data.open_layout().has_labelled_queries
