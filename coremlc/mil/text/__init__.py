"""`model.mil`: MIL programs as Apple's compiler prints them."""

from coremlc.mil.text.parse import dialect_of, parse_program
from coremlc.mil.text.print import print_program

__all__ = ["dialect_of", "parse_program", "print_program"]
