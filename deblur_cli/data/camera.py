"""From scene light to picture and back: response curve, sensor noise, JPEG, and exposure."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from deblur_cli.data.convolution import Light

Picture = npt.NDArray[np.uint8]
"""``(H, W, 3)`` RGB."""

EXPOSURE_CELL = 32
"""Side of the cells (px) over which exposure is compared: larger than most blur."""


@dataclass(frozen=True)
class Response:
    """A camera's response curve, as two tables: picture to light and light to picture."""

    name: str
    decode: npt.NDArray[np.float32] = field(repr=False)
    """``(256,)`` light in [0, 1] for each picture value."""
    encode: npt.NDArray[np.uint8] = field(repr=False)
    """``(65536,)`` picture value for each light in steps of 1/65535."""

    def to_light(self, picture: Picture) -> Light:
        """Picture values as light in [0, 1], float32."""
        return np.asarray(cv2.LUT(picture, self.decode))

    def to_picture(self, light: Light) -> Picture:
        """Light as rounded picture values; what lies outside [0, 1] is clipped."""
        return self.encode[(np.clip(light, 0.0, 1.0) * 65535 + 0.5).astype(np.uint16)]


def _srgb() -> Response:
    """The sRGB transfer function (IEC 61966-2-1)."""
    value = np.arange(256) / 255
    decode = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    light = np.arange(65536) / 65535
    encode = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return Response("sRGB", decode.astype(np.float32), np.rint(encode * 255).astype(np.uint8))


def _identity() -> Response:
    """No curve: light and picture values are proportional, as in the mean of video frames."""
    decode = (np.arange(256) / 255).astype(np.float32)
    return Response("identity", decode, np.rint(np.arange(65536) / 257).astype(np.uint8))


SRGB = _srgb()
IDENTITY = _identity()


@dataclass(frozen=True)
class Camera:
    """How a synthetic camera records light: the distribution of response, noise and JPEG."""

    linear_share: float = 0.5
    """Share of pictures blurred in linear light (sRGB response); the rest in picture values."""
    noise_share: float = 0.3
    """Share of pictures with sensor noise."""
    noise: tuple[float, float] = (0.001, 0.008)
    """Range of the noise's standard deviation at white, as a share of the full range."""
    jpeg_share: float = 0.2
    """Share of pictures saved as JPEG."""
    jpeg_quality: tuple[int, int] = (80, 97)
    """Range of the JPEG quality."""

    def response(self, rng: np.random.Generator) -> Response:
        """The response curve of the next picture."""
        return SRGB if rng.random() < self.linear_share else IDENTITY

    def record(self, rng: np.random.Generator, light: Light, response: Response) -> Picture:
        """Light as this camera records it: noise, clipping at white, response, JPEG."""
        if rng.random() < self.noise_share:
            light = with_noise(rng, light, rng.uniform(*self.noise))
        picture = response.to_picture(light)
        if rng.random() < self.jpeg_share:
            low, high = self.jpeg_quality
            picture = through_jpeg(picture, int(rng.integers(low, high + 1)))
        return picture


def with_noise(rng: np.random.Generator, light: Light, sigma: float) -> Light:
    """Light with shot noise and a floor of read noise, ``sigma`` at white and a third at black."""
    level = sigma * np.sqrt(1 / 9 + 8 / 9 * np.clip(light, 0.0, 1.0))
    return np.asarray(light + level * rng.standard_normal(light.shape, dtype=np.float32))


def through_jpeg(picture: Picture, quality: int) -> Picture:
    """The picture after being saved as JPEG and read again."""
    _, stream = cv2.imencode(
        ".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    return np.asarray(cv2.imdecode(stream, cv2.IMREAD_COLOR_RGB), dtype=np.uint8)


def fit_exposure(sharp: Picture, blurred: Picture) -> Picture:
    """The sharp picture in the blurred one's exposure and colour.

    Pairs shot one after the other differ in brightness, and a network trained on them as they are
    learns to brighten. Gain and offset are fitted per channel by least squares over cell means:
    over single pixels the blur's lower contrast would be taken for a lower gain.
    """
    rows, columns = (max(1, side // EXPOSURE_CELL) for side in sharp.shape[:2])
    cells = [
        cv2.resize(picture.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
        for picture in (sharp, blurred)
    ]
    fitted = np.empty(sharp.shape, np.uint8)
    for channel in range(sharp.shape[2]):
        have, want = (cell[..., channel].ravel() for cell in cells)
        spread = float(np.var(have))
        gain = float(np.mean((have - have.mean()) * (want - want.mean()))) / spread if spread else 1
        offset = float(want.mean() - gain * have.mean())
        values = np.arange(256) * gain + offset
        table = np.rint(np.clip(values, 0, 255)).astype(np.uint8)
        fitted[..., channel] = table[sharp[..., channel]]
    return fitted
