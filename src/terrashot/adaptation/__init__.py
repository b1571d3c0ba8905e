"""Stage 2 in plain torch: support, head, start, transition, objective, solver."""
