"""Losses of SimNet and of the weak-shot classifier."""
