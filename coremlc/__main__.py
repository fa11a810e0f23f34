"""`python -m coremlc`."""

from coremlc.cli import main

main()
