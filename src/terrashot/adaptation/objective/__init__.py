"""What a method minimises. Read `plain_oracle` first: the loss as the papers write it down.

`engine` computes the same with analytic gradients, one pass over the pixels an iteration:
`support_pass` and `query_pass` are its halves, `support_loss` and `query_losses` their terms,
`transduction` says which query terms count, `problem` ties the parts together, `parameters` lays
them out in one vector, `pixel_logits` makes logits of them, `workers` shares the pixels among
threads; `objective` is all that a solver sees.
"""
