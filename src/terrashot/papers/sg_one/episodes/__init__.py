"""Episodes: a support and a query image of one class, for few-shot training and evaluation."""
