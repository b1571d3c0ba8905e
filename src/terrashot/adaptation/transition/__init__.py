"""What stage 2 adds to the classification logits; one transition a file.

`base` is the interface: a start, logits, and the analytic gradient by hand. `none` adds nothing,
`shared` has one matrix for all pixels, `rank_one` (ClassTrans) and `full` one for each pixel.
`options` checks settings that they share, `describe` names them in files that outlive the run,
`mean_transition` says what one comes to on a query, for the report.
"""
