"""Scores of the weak-shot classifier."""
