"""Looking a dataset over before training: lists, files, labels, shares."""
