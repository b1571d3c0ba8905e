"""Wings: one folder a paper, with its network, data, losses, training, figures and configs.

The core knows none of them; `app/tasks/registry.py` names each once.
"""
