"""Benchmarks: how each is obtained, what is compared, and the last results."""
