"""The parts of ``scripts/check_gpu.py``, each of which stands alone."""
