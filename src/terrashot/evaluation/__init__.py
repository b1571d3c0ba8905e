"""Scores of generalized few-shot segmentation."""
