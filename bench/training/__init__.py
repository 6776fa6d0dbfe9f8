"""Measurements of the training: its speed (`python -m bench.training`), and what its objectives teach."""
