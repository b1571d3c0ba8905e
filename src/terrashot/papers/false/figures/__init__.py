"""Pictures and tables of pretraining."""
