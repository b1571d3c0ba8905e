"""Joint self-training from settings."""

from terrashot.adaptation.joint import JointSelfTraining
from terrashot.app.settings import Settings
from terrashot.errors import ConfigError


def build_joint(settings: Settings) -> JointSelfTraining | None:
    """Joint self-training, where ``adaptation.joint`` asks for it.

    Raises:
        ConfigError: an unknown setting, or several processes, each of which sees its own queries.
    """
    joint = settings.adaptation.joint
    if joint is None:
        return None
    if settings.processes > 1:
        raise ConfigError(
            f"adaptation.joint learns from all queries in one process, but there are "
            f"{settings.processes}. Set trainer.devices=1 trainer.num_nodes=1 strategy=single."
        )
    try:
        return JointSelfTraining(**joint)
    except TypeError as error:
        raise ConfigError(
            f"adaptation.joint: {error}. It has rounds, confidence, pixels and seed, for example "
            "adaptation.joint={rounds: 2}."
        ) from error
