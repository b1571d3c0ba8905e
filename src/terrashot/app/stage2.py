"""Stage 2 from settings to results.json and the closing table."""

from terrashot.app.build import (
    build_data,
    build_feature_cache,
    build_method,
    build_part,
    build_trainer,
    uses_query,
)
from terrashot.app.console import announce, run_console
from terrashot.app.joint import build_joint
from terrashot.app.loggers import build_loggers
from terrashot.app.postprocess import build_postprocess
from terrashot.app.run_folder import RunFolder
from terrashot.app.settings import Settings
from terrashot.app.stage1_checkpoint import stage1_checkpoint
from terrashot.app.stage2_results import publish_scores, publish_similarity, publish_transition
from terrashot.callbacks.console_progress import console_progress
from terrashot.callbacks.prediction_panels import PredictionPanels
from terrashot.model.stage1_file import load_base_model
from terrashot.tasks.novel_adaptation import NovelAdaptation
from terrashot.tasks.query_counts import QueryStore
from terrashot.tasks.query_maps import QueryMaps


def run_novel_adaptation(settings: Settings, folder: RunFolder) -> None:
    """Adapt to the support set and score the queries, leaving out those that are done."""
    data = build_data(settings)
    taxonomy = data.taxonomy
    path = stage1_checkpoint(settings)
    folder.update_info(checkpoint=str(path.resolve()))
    base = load_base_model(path, taxonomy)
    data.feature_cache = build_feature_cache(settings, path, base.segmenter.stride)
    rules = build_postprocess(settings)
    maps = folder.path / "maps" if settings.adaptation.save_maps else None
    module = NovelAdaptation(
        segmenter=base.segmenter,
        method=build_method(settings),
        taxonomy=taxonomy,
        store=QueryStore(folder.path / "queries"),
        feature_stride=settings.adaptation.feature_stride,
        align_corners=settings.adaptation.align_corners,
        seed=settings.seed,
        base_weight=settings.adaptation.base_weight,
        novel_weight=settings.adaptation.novel_weight,
        inference=build_part("inference", settings.inference),
        storage=settings.adaptation.storage,
        joint=build_joint(settings),
        maps=QueryMaps(taxonomy, data.eval_transform, rules, maps),
        # A head that is the same for all queries gains nothing from holding several of them.
        queries_per_pass=settings.adaptation.queries_per_pass if uses_query(settings) else 1,
    )
    callbacks = [
        console_progress(),
        PredictionPanels(
            folder.path, taxonomy, settings.adaptation.panels, read_image=data.query_image
        ),
    ]
    trainer = build_trainer(settings, folder, build_loggers(settings, folder), callbacks)
    console = run_console(trainer)
    announce(console, settings, folder)
    console.print(f"stage-1 network: {path}", highlight=False, soft_wrap=True)
    trainer.test(module, data, verbose=False, weights_only=True)
    if not trainer.is_global_zero:
        return
    publish_scores(
        settings,
        folder,
        trainer,
        console,
        data,
        module.result,
        rules,
        protocol="joint" if settings.adaptation.joint else "per query",
        checkpoint=str(path),
        similarity=publish_similarity(settings, folder, trainer, module.method, taxonomy),
        transition=publish_transition(settings, folder, trainer, module.store, taxonomy),
    )
