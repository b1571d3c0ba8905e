"""The calibrated contrastive loss and its parts."""
