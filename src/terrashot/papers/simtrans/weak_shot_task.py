"""Weak-shot classification as a task of `run.py`."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terrashot.errors import ConfigError
from terrashot.papers.simtrans.settings import WeakShotOptions, WeakShotSettings
from terrashot.tasks.task import Bench, Run, Task, check_novel_classes

if TYPE_CHECKING:
    import torch

    from terrashot.papers.simtrans.network.sim_net import TrainedSimNet
    from terrashot.papers.simtrans.patches.weak_shot import WeakShotData
    from terrashot.papers.simtrans.training.weak_shot import WeakShotClassifier
    from terrashot.papers.simtrans.training.window_weights import Weighting

_SCORES = {
    "novel": "test/novel_accuracy",
    "macro F1": "test/novel_macro_f1",
    "harmonic": "test/harmonic_accuracy",
    "AUROC": "weights/auroc",
}


class WeakShotTask(Task[WeakShotSettings]):
    """Classification of novel windows from noisy labels."""

    name = "weak_shot"
    experiment = "weak_shot"
    settings = WeakShotSettings
    tiles = ("train", "stage1_val", "support", "query")

    def check(self, settings: WeakShotSettings, bench: Bench) -> None:
        """Parts that go together, and the SimNet where one is needed."""
        check_novel_classes(settings)
        _weighting(settings.weak_shot)
        limit = settings.trainer.limit_train_batches
        if settings.weak_shot.schedule == "alternate" and limit != 1.0:
            raise ConfigError(
                "trainer.limit_train_batches would cut the second pass of an epoch off, in which "
                "weak_shot.schedule=alternate has its graph term. Leave it at 1.0."
            )
        self.inputs(settings, bench)

    def inputs(self, settings: WeakShotSettings, bench: Bench) -> Sequence[Path]:
        """The SimNet, where weights or graph need one."""
        return [_sim_net(settings, bench).path] if _needs_sim_net(settings.weak_shot) else []

    def metrics(self, settings: WeakShotSettings) -> list[str]:
        """Accuracies on clean test windows, and how good the weights are."""
        known = ["novel_accuracy", "novel_macro_f1"]
        if settings.weak_shot.classes == "all":
            known += [
                "generalized_accuracy",
                "base_accuracy",
                "generalized_novel_accuracy",
                "harmonic_accuracy",
            ]
        weights = ["auroc", "clean_share", "clean_mean", "noisy_mean"]
        return [*(f"test/{n}" for n in known), *(f"weights/{n}" for n in weights)]

    def sweep_score(self, settings: WeakShotSettings) -> str:
        """Accuracy among novel classes."""
        return "novel"

    def sweep_scores(
        self, settings: WeakShotSettings, results: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Accuracies, and how well the weights tell right from wrong labels."""
        return {name: results["metrics"].get(key) for name, key in _SCORES.items()}

    def run(self, settings: WeakShotSettings, run: Run) -> None:
        """Weigh the noisy windows, train on them, score on clean ones."""
        from terrashot.data.datamodule import FewShotDataModule
        from terrashot.papers.simtrans.losses.graph_regularisation import GraphRegularisation
        from terrashot.papers.simtrans.network.start import start_encoder
        from terrashot.papers.simtrans.patches.pair_units import window_transform
        from terrashot.papers.simtrans.patches.weak_shot import WeakShotData
        from terrashot.papers.simtrans.training.weak_shot import WeakShotClassifier
        from terrashot.papers.simtrans.training.window_weights import weight_quality

        options = settings.weak_shot
        data = FewShotDataModule(**run.tiles())
        data.prepare_data()
        taxonomy = data.taxonomy
        weighting = _weighting(options)
        alternate = options.schedule == "alternate" and options.alpha > 0
        sizes = [options.batch_size, *([options.graph_batch_size] if alternate else [])]
        windows = WeakShotData(
            data,
            settings.data.window,
            run.build("noise"),
            with_base=options.classes == "all",
            base_windows=options.base_windows,
            batch_sizes=sizes,
            transform=window_transform(settings, data.spec),
            anchors=weighting.anchors,
            left_out=settings.data.no_windows,
            seed=settings.seed,
        )
        novel = windows.novel_ids
        encoder, told = start_encoder(settings.backbone, data.spec.mean, data.spec.std)
        trained = _sim_net(settings, run) if _needs_sim_net(options) else None
        weights = _weights(settings, run, windows, trained, weighting)
        quality = weight_quality(weights, windows.windows, novel)
        graph = None
        if options.alpha:
            graph = GraphRegularisation(
                options.mu, options.graph, options.normalise, options.same_label
            )
        module = WeakShotClassifier(
            encoder,
            [*(taxonomy.base_ids if options.classes == "all" else []), *novel],
            novel,
            weights,
            run.plan(),
            graph,
            options.alpha,
            trained.network if graph is not None and trained is not None else None,
        )
        # Nothing novel may choose a checkpoint: the last one counts.
        windows.trainer = run.start(best=False)
        module.graph_from = windows.first_pass if alternate else 0
        noisy = sum(p.label in novel for p in windows.windows.patches)
        run.say(
            f"{told}; {noisy} noisy novel windows, {quality['weights/clean_share']:.0%} of them "
            "right"
        )
        run.fit(module, windows)
        run.test(module, windows)
        if run.is_first:
            _report(settings, run, module, windows, weights, quality, noisy)


def _needs_sim_net(options: WeakShotOptions) -> bool:
    """Whether a run weighs windows or ties them by a graph."""
    return options.alpha > 0 or options.weights.get("kind") != "none"


def _sim_net(settings: WeakShotSettings, bench: Bench) -> "TrainedSimNet":
    """The SimNet of the run.

    Raises:
        CheckpointError: there is none.
    """
    from terrashot.papers.simtrans.bridges.find_sim_net import find_sim_net
    from terrashot.papers.simtrans.network.sim_net import WINDOWS, load_sim_net

    return load_sim_net(find_sim_net(bench, WINDOWS, settings.weak_shot.simnet), WINDOWS)


def _weighting(options: WeakShotOptions) -> "Weighting":
    from terrashot.papers.simtrans.training.window_weights import Weighting

    known = [f.name for f in fields(Weighting)]
    strange = [key for key in options.weights if key not in known]
    if strange:
        raise ConfigError(
            f"weak_shot.weights.{strange[0]} is no setting of the weights, which have: "
            f"{', '.join(known)}."
        )
    return Weighting(**options.weights)


def _weights(
    settings: WeakShotSettings,
    run: Run,
    windows: "WeakShotData",
    trained: "TrainedSimNet | None",
    weighting: "Weighting",
) -> "torch.Tensor":
    """The weight of each training window, the same on every process."""
    import torch

    from terrashot.papers.simtrans.training.window_weights import window_weights

    if trained is None or weighting.kind == "none":
        return torch.ones(len(windows.windows))
    return window_weights(
        trained.network.to(run.device),
        windows.windows,
        windows.novel_ids,
        windows.anchor_windows,
        list(windows.anchors.values()),
        weighting,
        settings.seed,
        run.device,
    )


def _report(
    settings: WeakShotSettings,
    run: Run,
    module: "WeakShotClassifier",
    windows: "WeakShotData",
    weights: "torch.Tensor",
    quality: dict[str, float],
    noisy: int,
) -> None:
    """Figure, results.json, the table."""
    from terrashot.callbacks.media import log_picture
    from terrashot.papers.simtrans.figures.value_table import value_table
    from terrashot.papers.simtrans.figures.weights_figure import weights_figure
    from terrashot.reporting.figures import figure_to_array, save_figure
    from terrashot.tasks.task import taxonomy_of

    taxonomy, trainer = taxonomy_of(settings), run.trainer
    metrics = run.metrics() | quality
    for logger in trainer.loggers:
        logger.log_metrics(quality, step=trainer.global_step)
    figure = weights_figure(weights, windows.windows, taxonomy)
    save_figure(figure, run.path / "figures" / "weights.png")
    log_picture(trainer.loggers, "test/weights", figure_to_array(figure), trainer.global_step)
    noise = str(settings.noise["_target_"]).rpartition(".")[2]
    run.write_results(
        metrics,
        {
            "noise": noise,
            "windows": {"noisy": noisy, "train": len(windows.windows), "test": len(windows.test)},
            "outputs": [taxonomy.names[i] for i in module.class_ids],
            "confusion": module.confusion.tolist(),
        },
    )
    shown = {k: v for k, v in metrics.items() if k.startswith(("test/", "weights/"))}
    run.console.print(value_table(f"{len(windows.test)} clean test windows, {noise}", shown))
    name = "test/novel_accuracy"
    run.close(name, metrics[name])
