"""SimNet at the service of stage 2: a similarity, and weights of support pixels."""
