"""The command line: `terrashot`, the same as `python run.py`; one file a subcommand."""
