"""Folders of images: which classes they hold, how an image is read, units and loaders of them."""
