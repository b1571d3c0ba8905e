"""PASCAL-5i: VOC 2012 in four folds of five novel classes, as few-shot segmentation is scored."""
