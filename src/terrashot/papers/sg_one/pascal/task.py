"""SG-One on a fold of PASCAL-5i as a task of `run.py`: no stage 1, no map of all classes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from terrashot.errors import ConfigError
from terrashot.papers.sg_one.pascal.settings import FoldSettings
from terrashot.tasks.augmentation import build_augmentation
from terrashot.tasks.bench import Bench, Run
from terrashot.tasks.of_data import crop_of, taxonomy_of
from terrashot.tasks.task import Task

if TYPE_CHECKING:
    from terrashot.papers.sg_one.pascal.datamodule import FoldDataModule
    from terrashot.papers.sg_one.pascal.evaluation import FoldEvaluation


class FoldTask(Task[FoldSettings]):
    """Episodic training on fifteen classes of VOC, a fixed list of episodes on the other five."""

    name = "sg_one_pascal"
    experiment = "sg_one_pascal"
    settings = FoldSettings
    data_kinds = ("pascal5i",)
    tiles = ("train", "stage1_val")
    averaged = ("data.fold",)

    def check(self, settings: FoldSettings, bench: Bench) -> None:
        """Parts that do not go together."""
        from terrashot.papers.sg_one.training.episodic import check_episodic

        if settings.backbone is None:
            raise ConfigError(
                "backbone is null, but on PASCAL-5i there is no stage-1 network to start from. "
                "Choose backbone=sg_one_vgg16 decoder=null, or a backbone and a decoder."
            )
        shots = settings.episodes.shots
        if not shots or min(shots) < 1:
            raise ConfigError(
                f"episodes.shots is {shots}, but it is a list of numbers of support images, each 1 "
                "or more: episodes.shots=[1,5]."
            )
        check_episodic(settings, bench)

    def monitored(self, settings: FoldSettings) -> list[str]:
        """Scores over the fixed episodes of base classes."""
        classes = [f"val/episode_iou/{land.name}" for land in taxonomy_of(settings).base]
        return ["val/loss", "val/episode_miou", "val/episode_fb_iou", *classes]

    def metrics(self, settings: FoldSettings) -> list[str]:
        """Scores of the novel classes with each number of shots."""
        names = [f"iou/{land.name}" for land in taxonomy_of(settings).novel]
        return [
            f"test/{shots}_shot_{name}"
            for shots in settings.episodes.shots
            for name in ("miou", "fb_iou", *names)
        ]

    def scores_queries(self, settings: FoldSettings) -> bool:
        """Novel classes have episodes, and no query tiles."""
        return False

    def sweep_score(self, settings: FoldSettings) -> str:
        """The mIoU with the smallest number of shots."""
        return _column("mIoU", min(settings.episodes.shots))

    def sweep_scores(self, settings: FoldSettings, results: Mapping[str, Any]) -> dict[str, Any]:
        """Mean IoU of the novel classes, and foreground-background IoU, with each number of shots.

        A column is named after the score and the number: ``FB-IoU 5``. The multirun over
        ``data.fold`` ends in their means.
        """
        columns = {"mIoU": "miou", "FB-IoU": "fb_iou"}
        return {
            _column(title, shots): results["metrics"].get(f"test/{shots}_shot_{name}")
            for title, name in columns.items()
            for shots in settings.episodes.shots
        }

    def run(self, settings: FoldSettings, run: Run) -> None:
        """Train on base classes, going on from last.ckpt if there; test on novel classes."""
        from terrashot.papers.sg_one.figures.episode_panels import EpisodePanels
        from terrashot.papers.sg_one.pascal.evaluation import FoldEvaluation
        from terrashot.papers.sg_one.training.episodic import trained_network

        episodes = settings.episodes
        data = _data(settings, run)
        run.start(
            EpisodePanels(run.path, settings.callbacks.panels, data.spec),
            trains=episodes.trained is None,
        )
        network = trained_network(settings, run, data)
        module = FoldEvaluation(network, data.taxonomy, episodes.shots, episodes.shot_fusion)
        run.test(module, data)
        if run.is_first:
            _report(settings, run, module)


def _column(title: str, shots: int) -> str:
    return f"{title} {shots}"


def _shots(count: int) -> str:
    return "1 shot" if count == 1 else f"{count} shots"


def _data(settings: FoldSettings, run: Run) -> "FoldDataModule":
    from terrashot.data.transforms import TrainTransform
    from terrashot.papers.sg_one.pascal.datamodule import FoldDataModule
    from terrashot.papers.sg_one.training.episodic import episode_rules

    transform = None
    if settings.augmentation:
        crop = crop_of(settings, settings.augmentation.get("crop"))
        transform = build_augmentation(
            TrainTransform, {**settings.augmentation, "crop": crop}, "default", rgb=(0, 1, 2)
        )
    episodes = settings.episodes
    return FoldDataModule(
        train_transform=transform,
        rules=episode_rules(settings),
        train_episodes=episodes.per_epoch,
        val_episodes=episodes.validation,
        val_seed=episodes.seed,
        test_episodes=episodes.evaluation,
        shots=max(episodes.shots),
        **run.tiles(),
    )


def _report(settings: FoldSettings, run: Run, module: "FoldEvaluation") -> None:
    """results.json and the table of the fold."""
    from terrashot.files import without_nan
    from terrashot.papers.sg_one.figures.episode_table import episode_table

    named = {f"SG-One {_shots(count)}": scores for count, scores in module.scores.items()}
    content = {
        "episodes": {name: without_nan(s.as_metrics("test/episode")) for name, s in named.items()},
        "fold": settings.data.fold,
        "data": {"name": settings.data.name, "fold": settings.data.fold},
        "method": f"sg_one, {settings.episodes.shot_fusion}",
    }
    metrics = run.metrics()
    run.write_results(metrics, content)
    title = (
        f"{settings.data.name} fold {settings.data.fold}: novel classes one at a time, IoU over "
        f"{settings.episodes.evaluation} episodes"
    )
    run.console.print(episode_table(named, module.taxonomy.novel, title))
    score = f"test/{min(module.scores)}_shot_miou"
    run.close(score, metrics[score])
