"""Pictures and tables of episodes."""
