"""Photos that are sharp already: pairs that teach a network to do no harm."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from deblur_cli.data.camera import Camera, Picture


@dataclass(frozen=True)
class NoBlur:
    """No blur at all, only what the camera adds."""

    camera: Camera = field(default=Camera())
    """Response, noise and JPEG."""

    def __call__(self, rng: np.random.Generator, sharp: Picture) -> tuple[Picture, Picture]:
        """Record one photo again.

        Args:
            rng: source of randomness; equal states give equal results.
            sharp: ``(H, W, 3)`` RGB uint8.

        Returns:
            The recorded photo and its truth, both of the shape and dtype of ``sharp``.
        """
        response = self.camera.response(rng)
        return self.camera.record(rng, response.to_light(sharp), response), sharp
