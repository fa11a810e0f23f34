"""XLA, to compare with: a Graph in jax.lax, as GoMLX's XLA back end would put it (extra [xla]).

One row per op kind, in a table by family. What runs is a baseline, so nothing is added to what
GoMLX emits (go-xla, compute/xla), even where its numbers differ from docs/semantics.md; what GoMLX
emits and is left out since it only costs time: the barrier before a float32 sum of halves.
Importing this package needs no jax; `load_xla` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coremlc.errors import MachineError

if TYPE_CHECKING:
    from coremlc.baseline.xla import XlaExecutable
    from coremlc.ir.graph import Graph


def load_xla(graph: Graph, threads: int | None = None) -> XlaExecutable:
    """Compile a graph as it was recorded, before any pass.

    threads: of XLA's pool, which is made once in a process; None: one for each core.

    Raises:
        MachineError: jax is not installed.
        RefusedError: XLA can't take the graph.
    """
    try:
        from coremlc.baseline import xla
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("jax", "jaxlib"):
            raise
        raise MachineError(
            "jax, by which XLA runs here, is not installed", fix="pip install 'coremlc[xla]'"
        ) from None
    xla.set_threads(threads)
    return xla.XlaExecutable(graph)
