"""Windows of unlabelled tiles, in two views."""
