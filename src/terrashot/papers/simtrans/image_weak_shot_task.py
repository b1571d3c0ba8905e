"""Weak-shot classification of images in folders as a task of `run.py`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terrashot.papers.simtrans.folders.image_sets import class_lists, read_image_sets
from terrashot.papers.simtrans.image_sim_net_task import check_views
from terrashot.papers.simtrans.settings import ImageWeakShotSettings
from terrashot.papers.simtrans.weak_shot_options import (
    SCORES,
    batch_sizes,
    check_options,
    classifier_inputs,
    metric_names,
    needs_sim_net,
    weighting_of,
)
from terrashot.papers.simtrans.weak_shot_run import (
    Anchors,
    Classes,
    begin_with,
    build_classifier,
    fit_and_test,
    report,
    save_weights_figure,
    unit_weights,
)
from terrashot.tasks.bench import Bench, Run
from terrashot.tasks.task import Task

if TYPE_CHECKING:
    from terrashot.papers.simtrans.folders.image_sets import ImageSets
    from terrashot.papers.simtrans.network.sim_net import TrainedSimNet


class ImageWeakShotTask(Task[ImageWeakShotSettings]):
    """Classification of novel images from the words that they were searched by."""

    name = "image_weak_shot"
    experiment = "weak_shot"
    settings = ImageWeakShotSettings
    data_kinds = ("image_folders",)
    stands_for = "weak_shot"

    def check(self, settings: ImageWeakShotSettings, bench: Bench) -> None:
        """Lists and folders, parts that go together, and the SimNet where one is needed."""
        check_options(settings)
        check_views(settings.data.window, settings.data.resize)
        self.inputs(settings, bench)

    def inputs(self, settings: ImageWeakShotSettings, bench: Bench) -> Sequence[Path]:
        """The lists of classes, classifiers, the SimNet."""
        found = [*class_lists(settings.data), *classifier_inputs(settings.weak_shot)]
        sets = read_image_sets(settings.data)
        if needs_sim_net(settings.weak_shot):
            found.append(_sim_net(settings, bench, sets).path)
        return found

    def metrics(self, settings: ImageWeakShotSettings) -> list[str]:
        """Accuracies on clean test images."""
        return metric_names(settings.weak_shot)

    def sweep_score(self, settings: ImageWeakShotSettings) -> str:
        """Accuracy among novel classes."""
        return "novel"

    def sweep_scores(
        self, settings: ImageWeakShotSettings, results: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Accuracies."""
        known = {k: v for k, v in SCORES.items() if v.startswith("test/")}
        return {name: results["metrics"].get(key) for name, key in known.items()}

    def run(self, settings: ImageWeakShotSettings, run: Run) -> None:
        """Weigh the noisy images, train on them, score on clean ones."""
        from terrashot.papers.simtrans.folders.images import check_readable
        from terrashot.papers.simtrans.folders.units import views_of
        from terrashot.papers.simtrans.folders.weak_shot import WeakShotImages

        options = settings.weak_shot
        sets = read_image_sets(settings.data)
        with_base = options.classes == "all"
        check_readable([*sets.novel_web, *sets.novel_test, *sets.base_train, *sets.base_test])
        images = WeakShotImages(
            sets,
            views_of(settings.data),
            with_base,
            options.base_windows,
            batch_sizes(options),
            weighting_of(options).anchors,
            settings.seed,
            settings.data.num_workers,
        )
        novel = sets.novel_ids
        classes = Classes([*(sets.base_ids if with_base else []), *novel], novel, sets.names)
        encoder, began, told = begin_with(settings, settings.data.mean, settings.data.std)
        trained = _sim_net(settings, run, sets) if needs_sim_net(options) else None
        anchors = Anchors(images.anchor_windows, list(images.anchors.values()))
        weights = unit_weights(settings, run, images, classes, trained, anchors)
        module = build_classifier(settings, run, classes, encoder, began, weights, trained)
        told = (
            f"layout {sets.layout}: {len(sets.base)} base and {len(novel)} novel classes; {told}; "
            f"{len(sets.novel_web)} noisy novel images"
        )
        fit_and_test(settings, run, module, images, told)
        if not run.is_first:
            return
        counts = {
            "noisy": len(sets.novel_web),
            "train": len(images.windows),
            "test": len(images.test),
        }
        if trained is not None:
            save_weights_figure(run, weights, images.windows, classes)
        title = f"{len(images.test)} clean test images"
        report(settings, run, module, images, title, {"images": counts}, {})


def _sim_net(settings: ImageWeakShotSettings, bench: Bench, sets: "ImageSets") -> "TrainedSimNet":
    """The SimNet of the run.

    Raises:
        CheckpointError: there is none.
    """
    from terrashot.papers.simtrans.folders.find import find_image_sim_net
    from terrashot.papers.simtrans.network.sim_net import WINDOWS, load_sim_net

    return load_sim_net(find_image_sim_net(bench, settings, sets), WINDOWS)
