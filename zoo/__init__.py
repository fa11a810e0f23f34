"""Real models: fetched as pinned packages, made into graphs, compiled. Run by `python -m zoo`."""
