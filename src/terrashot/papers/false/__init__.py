"""FALSE (Zhang et al., 2022): contrastive pretraining aware of false negatives. See README.md."""

# The tasks of this wing by name: where their classes lie.
TASKS = {"contrastive_pretraining": "terrashot.papers.false.task.ContrastivePretrainingTask"}
# Classes by the names that configurations of version 0.1 have for them, both below terrashot.
MOVED = {
    "losses.calibrated_contrastive.CalibratedContrastive": (
        "papers.false.losses.calibrated_contrastive.CalibratedContrastive"
    ),
}
