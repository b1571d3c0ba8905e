"""What stands behind run.py: composing, checking and building a run."""
