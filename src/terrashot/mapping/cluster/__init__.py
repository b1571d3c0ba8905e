"""Many scenes, or giant ones, on many workers: what is to be done, by whom, and how it went."""
