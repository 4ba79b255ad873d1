"""Runs a grid of methods, sizes, budgets and seeds, scores what comes out, and writes what was measured as a page.

See `python -m benchmarks.ablation --help`; a grid is a file such as benchmarks/grids/sample.toml.
"""
