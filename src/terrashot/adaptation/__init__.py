"""Stage 2 in plain torch: a method takes in a support, then a query, and gives an adapted head.

`method` is that interface, `head` what goes in and comes out. The drawers:

- `methods/`: all stage-2 methods, by gradient descent or in closed form.
- `support/`: the labelled pixels that they learn from.
- `objective/`: what a descent minimises; read `objective/plain_oracle.py` first.
- `transition/`: what is added to the classification logits.
- `solver/`: how the objective is minimised.

`striding` makes features coarser, `pooling` and `joint` bring many unlabelled tiles in, `inference`
turns a head into a map, `batched_head` does so for batches and files. No Lightning, no Hydra.
"""
