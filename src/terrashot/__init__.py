"""terrashot: generalized few-shot segmentation for land cover."""
