"""Training on episodes, as every task of the wing does it."""

from dataclasses import replace

from torch import nn

from terrashot.errors import ConfigError
from terrashot.losses.ldam import LDAM
from terrashot.model.stage1_file import find_checkpoint
from terrashot.networks.build import described
from terrashot.networks.segmenter import Segmenter
from terrashot.papers.sg_one.episodes.datamodule import EpisodeDataModule
from terrashot.papers.sg_one.episodes.rules import EpisodeRules
from terrashot.papers.sg_one.guidance.shot_fusion import checked_fusion
from terrashot.papers.sg_one.network.build import (
    VGG16,
    build_sg_one,
    check_published,
    load_sg_one_weights,
    sg_one_on,
)
from terrashot.papers.sg_one.network.checkpoint import load_sg_one
from terrashot.papers.sg_one.network.network import SGOneNetwork
from terrashot.papers.sg_one.settings import EpisodicSettings
from terrashot.papers.sg_one.training.optimizer import FAITHFUL, FaithfulPlan
from terrashot.papers.sg_one.training.segmentation import SGOneSegmentation
from terrashot.tasks.bench import Bench, Run
from terrashot.tasks.of_data import crop_of
from terrashot.tasks.optimization import OptimizationPlan


def check_episodic(settings: EpisodicSettings, bench: Bench) -> None:
    """Raise a ConfigError for parts that do not go together, before any tile is read."""
    backbone = (settings.backbone or {}).get("name")
    if (settings.backbone is None) != (settings.decoder is None) and backbone != VGG16:
        raise ConfigError(
            "backbone and decoder go together: choose both for a network of SG-One's own, or "
            "leave both null to start from the stage-1 network."
        )
    if settings.episodes.exit_padding and backbone != VGG16:
        raise ConfigError(
            f"episodes.exit_padding={settings.episodes.exit_padding} is the published rim around "
            f"the published network's logits; with another network it would shift every map. Set "
            f"episodes.exit_padding=0, or backbone={VGG16} decoder=null."
        )
    if backbone == VGG16:
        check_published(bench.image_spec())
    checked_fusion(settings.episodes.shot_fusion)
    episode_rules(settings)
    _check_loss(bench.build("loss"))
    if settings.strategy.name == "fsdp":
        raise ConfigError(
            "strategy=fsdp shards large networks; SG-One's is small. Use strategy=ddp."
        )
    if settings.optimizer.name == FAITHFUL and settings.scheduler.name != "constant":
        raise ConfigError(
            f"optimizer=sg_one_faithful learns at a constant rate, but scheduler="
            f"{settings.scheduler.name} was chosen. Add scheduler=constant, or take "
            "optimizer=adamw."
        )


def episode_rules(settings: EpisodicSettings) -> EpisodeRules:
    """What a window of an episode must show.

    Raises:
        ConfigError: a number out of its range.
    """
    episodes = settings.episodes
    return EpisodeRules(
        crop=crop_of(settings, settings.data.crop),
        min_pixels=episodes.min_pixels,
        max_foreground=episodes.max_foreground,
        zero_as_background=episodes.zero_as_background,
        alone=episodes.alone,
    )


def trained_network(
    settings: EpisodicSettings,
    run: Run,
    data: EpisodeDataModule,
    segmenter: Segmenter | None = None,
) -> SGOneNetwork:
    """The network that ``episodes.trained`` names, or the one of the best validation of this run.

    Args:
        settings: Of the run.
        run: It; its trainer is there.
        data: What is learned from.
        segmenter: The stage-1 network, which the network starts as where no backbone is chosen.
    """
    given = settings.episodes.trained
    if given is not None:
        path = find_checkpoint(given)
        run.say(f"SG-One network: {path}")
        return load_sg_one(path, data.taxonomy)
    network = _network(settings, run, segmenter)
    module = SGOneSegmentation(network, run.build("loss"), _plan(settings, run), data.taxonomy)
    run.fit(module, data, network=network)
    return load_sg_one(find_checkpoint(str(run.path)), data.taxonomy)


def _check_loss(loss: nn.Module) -> None:
    if isinstance(loss, LDAM):
        raise ConfigError(
            "loss: LDAM counts the pixels of each class, but an episode has foreground and "
            "background only. Choose loss=ce, ce_dice or focal."
        )
    if not getattr(loss, "needs_labels", True):
        raise ConfigError(
            f"loss: {type(loss).__name__} compares windows and knows no labels, but an episode has "
            "a mask. Choose loss=ce, ce_dice or focal."
        )


def _network(settings: EpisodicSettings, run: Run, segmenter: Segmenter | None) -> SGOneNetwork:
    """The network before training: on the stage-1 network, or on a backbone of its own."""
    episodes, backbone = settings.episodes, settings.backbone
    if backbone is None:
        if segmenter is None:
            raise ConfigError("backbone is null, and there is no stage-1 network to start from.")
        run.say("encoder and decoder start as the stage-1 network's")
        return sg_one_on(segmenter, episodes.guidance_channels)
    network = build_sg_one(
        {
            "backbone": backbone,
            "decoder": settings.decoder,
            **described(run.image_spec()),
            "guidance_channels": episodes.guidance_channels,
            "exit_padding": episodes.exit_padding,
        }
    )
    report = load_sg_one_weights(
        network,
        backbone.get("weights"),
        backbone.get("source", "timm"),
        backbone.get("clip_model"),
    )
    run.say(f"{backbone['name']}, {report.summary()}")
    return network


def _plan(settings: EpisodicSettings, run: Run) -> OptimizationPlan | FaithfulPlan:
    optimizer = settings.optimizer
    if optimizer.name == FAITHFUL:
        return FaithfulPlan(optimizer.lr, optimizer.weight_decay, optimizer.momentum)
    plan = run.plan()
    if settings.backbone is None and optimizer.encoder_lr is None:
        # As with pretrained weights: large steps would undo what stage 1 has learned.
        return replace(plan, encoder_lr=plan.lr / 10)
    return plan
