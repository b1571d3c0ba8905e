"""Fetching a dataset: the record, a resumable download, safe unpacking, the layout."""
