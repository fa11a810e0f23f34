"""Where the windows of conv and pool ops stand: plain arithmetic on sizes."""

from __future__ import annotations

from collections.abc import Sequence


def conv_pads(
    pad_type: str,
    pad: Sequence[int],
    sizes: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
) -> list[tuple[int, int]]:
    """(before, after) of each spatial axis; `kernel` is the dilated extent."""
    match pad_type:
        case "valid":
            return [(0, 0)] * len(kernel)
        case "custom":
            return [(int(pad[2 * i]), int(pad[2 * i + 1])) for i in range(len(kernel))]
    pads = []
    for size, extent, stride in zip(sizes, kernel, strides, strict=True):
        total = max((-(-size // stride) - 1) * stride + extent - size, 0)
        low, high = total // 2, total - total // 2
        pads.append((high, low) if pad_type == "same_lower" else (low, high))
    return pads


def pool_sizes(
    sizes: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[tuple[int, int]],
    *,
    ceil_mode: bool,
) -> list[int]:
    """Output sizes of a pool; in ceil mode a window that starts in the end padding is dropped."""
    out = []
    for size, extent, stride, (low, high) in zip(sizes, kernel, strides, pads, strict=True):
        room = size + low + high - extent
        count = (room + (stride - 1 if ceil_mode else 0)) // stride + 1
        if ceil_mode and (count - 1) * stride >= size + low and (low > 0 or high > 0):
            count -= 1
        out.append(count)
    return out


def transposed_pads(
    pad_type: str,
    pad: Sequence[int],
    sizes: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    output: Sequence[int] | None,
) -> list[tuple[int, int]]:
    """(before, after) cut from the full result of a conv_transpose; negative after adds zeros.

    A given output shape keeps the front cut of its pad type and takes the rest at the end.
    """
    cuts = []
    for i, (size, extent, stride) in enumerate(zip(sizes, kernel, strides, strict=True)):
        full = (size - 1) * stride + extent
        low, high = (int(pad[2 * i]), int(pad[2 * i + 1])) if pad_type == "custom" else (0, 0)
        if pad_type.startswith("same"):
            goal = size * stride if output is None else int(output[i])
            total = full - goal
            low = max(total, 0) // 2
            high = total - low
        elif output is not None:
            high = full - int(output[i]) - low
        cuts.append((low, high))
    return cuts
