"""A wandb run that never asks, never waits long and never stops a training."""

import logging
import netrc
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

Mode = Literal["auto", "online", "offline", "disabled"]

_log = logging.getLogger(__name__)
_INIT_TIMEOUT = 20.0  # seconds; wandb's own 90 would hold up a run on a machine without network
_FINISH_TIMEOUT = 120.0
_SPELLINGS = {"dryrun": "offline", "run": "online", "shared": "online"}
_HOST = "api.wandb.ai"


def make_wandb_logger(
    project: str,
    group: str | None,
    name: str,
    run_id: str,
    folder: Path,
    tags: Sequence[str] = (),
    config: Mapping[str, Any] | None = None,
    mode: Mode = "auto",
) -> WandbLogger:
    """Start a wandb run, or take it up again, and give it to Lightning's logger.

    Args:
        project: The wandb project.
        group: Joins the runs of a sweep; None for a run that stands alone.
        name: The name shown in the run list.
        run_id: The run's identity: the same id continues the same run.
        folder: The run folder; wandb writes into ``wandb/`` inside.
        tags: Labels to filter by.
        config: The resolved configuration as plain values.
        mode: ``auto`` is what ``WANDB_MODE`` says, else online where credentials are found, else
            offline. Online falls back to offline when the server cannot be reached.

    Returns:
        The logger. On processes other than the first it holds no run and logs nothing.
    """
    # A run that an earlier job of the same process left open would be silently reused.
    finish_wandb()
    logger_settings: dict[str, Any] = {"project": project, "save_dir": str(folder), "id": run_id}
    if getattr(rank_zero_only, "rank", 0):
        return WandbLogger(**logger_settings)
    folder.mkdir(parents=True, exist_ok=True)
    arguments: dict[str, Any] = {
        "project": project,
        "group": group,
        "name": name,
        "id": run_id,
        "resume": "allow",
        "dir": str(folder),
        "tags": list(tags),
        "config": dict(config or {}),
        "allow_val_change": True,
    }
    return WandbLogger(experiment=_start(arguments, resolve_mode(mode)), **logger_settings)


def finish_wandb(exit_code: int = 0) -> None:
    """Close the open run, if there is one; call it at the end of each job, failed ones too."""
    wandb = sys.modules.get("wandb")
    if wandb is not None and getattr(wandb, "run", None) is not None:
        wandb.finish(exit_code=exit_code)


def resolve_mode(mode: Mode) -> Literal["online", "offline", "disabled"]:
    """What ``mode`` comes to on this machine: ``WANDB_MODE`` wins, then ``mode``.

    ``online`` without credentials becomes ``offline``, since wandb would ask for them.
    """
    chosen = os.environ.get("WANDB_MODE", "").strip().lower() or mode
    if chosen == "auto":
        chosen = _system_settings().mode
    chosen = _SPELLINGS.get(chosen, chosen)
    if chosen == "online" and not _has_credentials():
        if mode == "online":
            _log.warning(
                "wandb: no credentials were found, so this run is kept offline; 'wandb login' "
                "or WANDB_API_KEY puts the next one online, 'wandb sync' uploads this one."
            )
        chosen = "offline"
    return cast(Literal["online", "offline", "disabled"], chosen)


def _start(arguments: dict[str, Any], mode: str) -> Any:  # noqa: ANN401 - Run or RunDisabled
    import wandb

    try:
        run = wandb.init(mode=cast(Any, mode), settings=_settings(), **arguments)
    except Exception as error:
        # Whatever fails (no network, a wrong key, a full project), the training matters more.
        if mode != "online":
            raise
        reason = str(error).strip().splitlines() or [type(error).__name__]
        _log.warning(
            "wandb: the server cannot be used (%s); this run is kept offline in %s. Upload it "
            "later with 'wandb sync'.",
            reason[0][:200],
            arguments["dir"],
        )
        # The service still holds the failed run under this id; only its end lets the id go.
        wandb.teardown()
        run = wandb.init(mode="offline", settings=_settings(), **arguments)
    if mode != "disabled":
        # What Lightning does for the runs that it starts itself.
        run.define_metric("trainer/global_step")
        run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
    return run


def _settings() -> Any:  # noqa: ANN401 - wandb.Settings
    import wandb

    wanted: dict[str, Any] = {
        "console": "off",  # the run folder keeps the log
        "silent": True,
        "init_timeout": _INIT_TIMEOUT,
        "finish_timeout": _FINISH_TIMEOUT,
        "disable_git": True,  # the run folder holds the revision
        "disable_code": True,
        "save_code": False,
    }
    known = wandb.Settings()
    return wandb.Settings(**{k: v for k, v in wanted.items() if hasattr(known, k)})


def _system_settings() -> Any:  # noqa: ANN401 - wandb.Settings
    """Settings from the environment and from what ``wandb login`` and ``wandb offline`` wrote."""
    import wandb

    return wandb.setup().settings


def _has_credentials() -> bool:
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    base_url = os.environ.get("WANDB_BASE_URL") or str(_system_settings().base_url)
    hosts = {urlsplit(base_url).netloc}
    if not os.environ.get("WANDB_BASE_URL"):
        hosts.add(_HOST)  # keys of the public server stay under this name when it moves
    named = os.environ.get("NETRC")
    for path in [Path(named)] if named else [Path("~/.netrc"), Path("~/_netrc")]:
        try:
            entries = netrc.netrc(str(path.expanduser()))
        except (OSError, netrc.NetrcParseError):
            continue
        if any(host in entries.hosts for host in hosts):
            return True
    return False
