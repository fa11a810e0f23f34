"""The table of benchmarks/RESULTS.md: what each model costs, raced against XLA and experts."""
