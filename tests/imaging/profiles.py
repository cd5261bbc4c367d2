"""ICC profiles made by code, and the published formulas of their colour spaces as a reference."""

from __future__ import annotations

import struct
import warnings

import numpy as np
from imagecodecs import cms_profile
from skimage.color import lab2rgb, rgb2lab

D65, D50 = (0.3127, 0.3290), (0.345703, 0.358539)
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
SPACES = {
    "Display P3": (((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)), D65, 2.2),
    "Adobe RGB": (((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), D65, 563 / 256),
    "Rec. 2020": (((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)), D65, 2.4),
    "ProPhoto": (((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)), D50, 1.8),
}
BRADFORD_D50_TO_D65 = np.array(
    [
        [0.9555766, -0.0230393, 0.0631636],
        [-0.0282895, 1.0099416, 0.0210077],
        [0.0122982, -0.0204830, 1.3299098],
    ]
)


def profile(name):
    """The ICC profile of one of the `SPACES`."""
    primaries, white, gamma = SPACES[name]
    flat = [part for x, y in primaries for part in (x, y, 1.0)]
    return bytes(cms_profile("rgb", whitepoint=(*white, 1.0), primaries=flat, gamma=gamma))


def grey_profile(gamma=1.8):
    return bytes(cms_profile("gray", whitepoint=(*D65, 1.0), gamma=gamma))


def to_xyz(primaries, white):
    """The matrix from linear RGB, by the primaries' chromaticities."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    x, y = white
    return columns * np.linalg.solve(columns, [x / y, 1, (1 - x - y) / y])


def linear_srgb_of(name, encoded):
    """Linear light of sRGB's primaries, by the published formulas."""
    primaries, white, gamma = SPACES[name]
    xyz = encoded.astype(np.float64) ** gamma @ to_xyz(primaries, white).T
    if white == D50:
        xyz = xyz @ BRADFORD_D50_TO_D65.T
    return xyz @ np.linalg.inv(to_xyz(SRGB, D65)).T


def from_linear_srgb(name, linear):
    """The inverse of `linear_srgb_of`, for colours within the gamut."""
    matrix = linear_srgb_of(name, np.eye(3)).T
    gamma = SPACES[name][2]
    return (linear @ np.linalg.inv(matrix).T).clip(0, None) ** (1 / gamma)


def decode(encoded):
    """Linear light of sRGB samples in [0,1]."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def encode(linear):
    """sRGB samples of linear light in [0,1]."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def table_profile(grid=9):
    """A profile that maps by tables, with the channels in another order, and inverts only roughly.

    ICC.1:2001, version 2: RGB to Lab in the tag A2B0 and back in B2A0, both of type `mft2`.
    """
    steps = np.stack(np.meshgrid(*[np.linspace(0, 1, grid)] * 3, indexing="ij"), axis=-1)
    lab = rgb2lab(steps[..., ::-1], illuminant="D65")
    scale, shift = np.array([100, 255, 255]), np.array([0, 128, 128])
    with warnings.catch_warnings():  # many Lab colours do not exist
        warnings.simplefilter("ignore")
        rgb = lab2rgb((steps * scale - shift).reshape(-1, 1, 3), illuminant="D65")[..., ::-1]
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78),
        b"wtpt": b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061),
        b"cprt": b"text" + bytes(4) + b"none\0",
        b"A2B0": _table((lab + shift) / scale * 65280 / 65535, grid),
        b"B2A0": _table(rgb, grid),
    }
    return _with_header(tags)


def _table(values, grid):
    identity = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    head = b"mft2" + bytes(4) + bytes([3, 3, grid, 0]) + identity + struct.pack(">HH", 2, 2)
    curve = struct.pack(">6H", *[0, 65535] * 3)
    samples = np.rint(values.clip(0, 1) * 65535).astype(">u2").tobytes()
    return head + curve + samples + curve


def _with_header(tags):
    directory, body, place = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        directory += name + struct.pack(">II", place + len(body), len(content))
        body += content
    size = place + len(body)
    head = struct.pack(">I4sI4s4s4s", size, bytes(4), 0x02400000, b"mntr", b"RGB ", b"Lab ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += struct.pack(">3i", 63190, 65536, 54061) + bytes(48)
    return head + struct.pack(">I", len(tags)) + directory + body
