"""Scores of generalized few-shot segmentation.

`confusion` counts pixels by truth and prediction, over tiles and processes; `scores` makes base,
novel and mean IoU and pixel accuracy of those counts. Every figure in a table comes from there.
Pixels labelled ``taxonomy.IGNORE`` never count.
"""
