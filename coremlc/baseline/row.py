"""What a row of the tables is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

Tensor: TypeAlias = Any
"""A jax array, or what stands for one while jax traces; a constant may be numpy's."""
Row: TypeAlias = Callable[..., Any]
"""(op, *tensors) -> tensor, or a sequence of them. An op with bodies gets, after op, a function
`run(body, *tensors) -> list of tensors`."""
