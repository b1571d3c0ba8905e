"""SimNet, the weights it gives to noisy labels, the classifier that learns from them."""
