"""Benchmarks of the state feature; `python -m benchmarks` runs them all. docs/benchmarks.md explains them."""
