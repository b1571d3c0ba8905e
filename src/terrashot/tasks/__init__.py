"""LightningModules, one a training or evaluation task."""
