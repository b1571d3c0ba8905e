"""Downloading published backbone weights by their tag, through timm or open_clip."""

import difflib
from pathlib import Path

import timm
from torch import Tensor

from terrashot.errors import CheckpointError, ConfigError, one_line
from terrashot.networks.checkpoint_file import read_tensors

DEFAULT_TAG = "default"


def tagged_tensors(
    name: str, tag: str, source: str, clip_model: str | None, group: str = "backbone"
) -> tuple[str, dict[str, Tensor]]:
    """Tensors of the published weights ``tag`` and words that say where they come from.

    The libraries keep what they download in their cache, so this needs the internet only once.

    Args:
        name: timm architecture.
        tag: name of the weights; ``default`` for timm's own choice.
        source: ``timm`` or ``open_clip``.
        clip_model: open_clip's name of the model, for ``open_clip``.
        group: the settings that name them, for messages.

    Raises:
        ConfigError: the library knows no such tag or source.
        CheckpointError: the weights cannot be downloaded.
    """
    if source == "timm":
        return _timm_tensors(name, tag, group)
    if source == "open_clip":
        return _open_clip_tensors(tag, clip_model, group)
    raise ConfigError(f"{group}.source={source} is unknown; choose timm or open_clip.")


def _timm_tensors(name: str, tag: str, group: str) -> tuple[str, dict[str, Tensor]]:
    known = [full.partition(".")[2] for full in timm.list_pretrained(f"{name}.*")]
    if not known:
        raise ConfigError(
            f"{group}.weights={tag}: timm has no weights of {name}. Give a file's path, or set "
            f"{group}.weights=null to do without."
        )
    if tag != DEFAULT_TAG and tag not in known:
        raise _unknown_tag(tag, f"timm model {name}", known, group)
    full = name if tag == DEFAULT_TAG else f"{name}.{tag}"
    try:
        tensors = timm.create_model(full, pretrained=True).state_dict()
    except Exception as error:  # each of timm's download routes fails with errors of its own
        raise _no_download(f"timm weights {full}", error, group) from error
    return f"timm weights {full}", tensors


def _open_clip_tensors(
    tag: str, clip_model: str | None, group: str
) -> tuple[str, dict[str, Tensor]]:
    import open_clip  # late: it takes as long to import as timm does, and few ask for its weights
    from open_clip.pretrained import download_pretrained, get_pretrained_cfg

    models = open_clip.list_models()
    if clip_model not in models:
        close = difflib.get_close_matches(str(clip_model), models, n=3) or ["convnext_large_d_320"]
        raise ConfigError(
            f"{group}.clip_model={clip_model} is no open_clip model, but with "
            f"{group}.source=open_clip it says where to find the weights {tag}. "
            f"Did you mean {' or '.join(close)}?"
        )
    known = open_clip.list_pretrained_tags_by_model(clip_model)
    if tag not in known:
        raise _unknown_tag(tag, f"open_clip model {clip_model}", known, group)
    try:
        path = Path(download_pretrained(get_pretrained_cfg(clip_model, tag)))
    except Exception as error:  # as above
        raise _no_download(f"open_clip weights {tag} of {clip_model}", error, group) from error
    return f"open_clip weights {tag} of {clip_model}", read_tensors(path)


def _unknown_tag(tag: str, what: str, known: list[str], group: str) -> ConfigError:
    return ConfigError(
        f"{group}.weights={tag} is neither a file nor weights of {what}, which are: "
        f"{', '.join(known)}. Use one of these, a file's path, or null."
    )


def _no_download(what: str, error: Exception, group: str) -> CheckpointError:
    return CheckpointError(
        f"The {what} could not be downloaded ({type(error).__name__}: {one_line(error)}). "
        "Connect this machine to the internet, or download them elsewhere and give the file with "
        f"{group}.weights=PATH; {group}.weights=null does without."
    )
