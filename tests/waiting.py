"""Finding calls that would make the host wait for a GPU, on a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

WAITING = {
    "aten._local_scalar_dense",
    "aten.equal",
    "aten.is_nonzero",
    "aten.lift_fresh",
    "aten.masked_select",
    "aten.nonzero",
    "aten.unique2",
}
"""They bring a value to the host, or make a tensor of a value of the host."""


class NoWaiting(TorchDispatchMode):
    """Within it, operators that wait for a device raise an AssertionError."""

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        name = str(func).rsplit(".", 1)[0]
        assert name not in WAITING, f"{name} waits for the device"
        return func(*args, **(kwargs or {}))
