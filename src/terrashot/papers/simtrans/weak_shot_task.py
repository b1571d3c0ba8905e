"""Weak-shot classification of windows of tiles as a task of `run.py`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terrashot.papers.simtrans.settings import WeakShotSettings
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
from terrashot.tasks.of_data import check_novel_classes
from terrashot.tasks.task import Task

if TYPE_CHECKING:
    from terrashot.papers.simtrans.network.sim_net import TrainedSimNet


class WeakShotTask(Task[WeakShotSettings]):
    """Classification of novel windows from noisy labels."""

    name = "weak_shot"
    experiment = "weak_shot"
    settings = WeakShotSettings
    tiles = ("train", "stage1_val", "support", "query")

    def check(self, settings: WeakShotSettings, bench: Bench) -> None:
        """Parts that go together, and the SimNet where one is needed."""
        check_novel_classes(settings)
        check_options(settings)
        self.inputs(settings, bench)

    def inputs(self, settings: WeakShotSettings, bench: Bench) -> Sequence[Path]:
        """The SimNet, where weights or graph need one, and classifiers."""
        found = classifier_inputs(settings.weak_shot)
        if needs_sim_net(settings.weak_shot):
            found.append(_sim_net(settings, bench).path)
        return found

    def metrics(self, settings: WeakShotSettings) -> list[str]:
        """Accuracies on clean test windows, and how good the weights are."""
        weights = ["auroc", "clean_share", "clean_mean", "noisy_mean"]
        return [*metric_names(settings.weak_shot), *(f"weights/{n}" for n in weights)]

    def sweep_score(self, settings: WeakShotSettings) -> str:
        """Accuracy among novel classes."""
        return "novel"

    def sweep_scores(
        self, settings: WeakShotSettings, results: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Accuracies, and how well the weights tell right from wrong labels."""
        return {name: results["metrics"].get(key) for name, key in SCORES.items()}

    def run(self, settings: WeakShotSettings, run: Run) -> None:
        """Weigh the noisy windows, train on them, score on clean ones."""
        from terrashot.data.datamodule import FewShotDataModule
        from terrashot.papers.simtrans.patches.pair_units import window_transform
        from terrashot.papers.simtrans.patches.weak_shot import WeakShotData
        from terrashot.papers.simtrans.training.window_weights import weight_quality

        options = settings.weak_shot
        data = FewShotDataModule(**run.tiles())
        data.prepare_data()
        taxonomy = data.taxonomy
        with_base = options.classes == "all"
        windows = WeakShotData(
            data,
            settings.data.window,
            run.build("noise"),
            with_base=with_base,
            base_windows=options.base_windows,
            batch_sizes=batch_sizes(options),
            transform=window_transform(settings, data.spec),
            anchors=weighting_of(options).anchors,
            left_out=settings.data.no_windows,
            seed=settings.seed,
        )
        novel = windows.novel_ids
        classes = Classes(
            [*(taxonomy.base_ids if with_base else []), *novel], novel, taxonomy.names
        )
        encoder, began, told = begin_with(settings, data.spec.mean, data.spec.std)
        trained = _sim_net(settings, run) if needs_sim_net(options) else None
        anchors = Anchors(windows.anchor_windows, list(windows.anchors.values()))
        weights = unit_weights(settings, run, windows, classes, trained, anchors)
        noisy = windows.windows
        quality = weight_quality(weights, noisy, novel)
        module = build_classifier(settings, run, classes, encoder, began, weights, trained)
        count = sum(p.label in novel for p in noisy.patches)
        right = f"{quality['weights/clean_share']:.0%}"
        told = f"{told}; {count} noisy novel windows, {right} of them right"
        fit_and_test(settings, run, module, windows, told)
        if not run.is_first:
            return
        noise = str(settings.noise["_target_"]).rpartition(".")[2]
        content = {
            "noise": noise,
            "windows": {"noisy": count, "train": len(noisy), "test": len(windows.test)},
        }
        save_weights_figure(run, weights, noisy, classes, noisy.clean)
        title = f"{len(windows.test)} clean test windows, {noise}"
        report(settings, run, module, windows, title, content, quality)


def _sim_net(settings: WeakShotSettings, bench: Bench) -> "TrainedSimNet":
    """The SimNet of the run.

    Raises:
        CheckpointError: there is none.
    """
    from terrashot.papers.simtrans.bridges.find_sim_net import find_sim_net
    from terrashot.papers.simtrans.network.sim_net import WINDOWS, load_sim_net

    return load_sim_net(find_sim_net(bench, WINDOWS, settings.weak_shot.simnet), WINDOWS)
