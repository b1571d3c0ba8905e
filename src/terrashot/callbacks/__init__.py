"""What happens around training: pictures, progress, results, checkpoints.

`prediction_panels` and `score_report` draw after an evaluation and hand it to the loggers by
`media`; `console_progress` and `epoch_lines` say how far it is. `checkpoint_io` writes checkpoints
whole, `first_checkpoint` one before the first step, `epoch_seed` makes a resumed run repeat an
unbroken one. `wandb_run` is a wandb run that never stops a training.
"""
