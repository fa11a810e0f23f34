"""Geometry: the sizes of a convolution, and its node."""

from __future__ import annotations

from dataclasses import dataclass

from coremlc.engine.ort.emitter import Emitter, Name


@dataclass(frozen=True, slots=True)
class Geometry:
    """Shapes of x and weight, and one number for each spatial axis; pads are not negative."""

    x: tuple[int, ...]
    weight: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    dilations: tuple[int, ...]
    groups: int

    @property
    def out(self) -> tuple[int, ...]:
        """The result's shape."""
        rows = zip(
            self.x[2:], self.weight[2:], self.strides, self.pads, self.dilations, strict=True
        )
        sizes = [(n + sum(pad) - (k - 1) * d - 1) // s + 1 for n, k, s, pad, d in rows]
        return self.x[0], self.weight[0], *sizes

    @property
    def is_plain(self) -> bool:
        """Without holes and groups."""
        return self.groups == 1 and set(self.dilations) == {1}

    @property
    def image(self) -> Geometry:
        """Of one spatial axis, as one of two, the first of size 1."""
        (n, c, width), (out, depth, kernel) = self.x, self.weight
        return Geometry(
            (n, c, 1, width),
            (out, depth, 1, kernel),
            (1, *self.strides),
            ((0, 0), *self.pads),
            (1, *self.dilations),
            self.groups,
        )

    def node(self, g: Emitter, *operands: Name) -> str:
        """The convolution of x, weight and perhaps bias."""
        return g.node(
            "Conv",
            *operands,
            strides=self.strides,
            dilations=self.dilations,
            pads=[low for low, _ in self.pads] + [high for _, high in self.pads],
            group=self.groups,
            kernel_shape=self.weight[2:],
        )
