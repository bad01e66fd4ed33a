"""Benchmarks of backups and of waits; `python -m benchmarks` runs them all. docs/benchmarks.md explains them."""
