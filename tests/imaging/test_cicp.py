from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import ImageCms

from deblur_cli.imaging.cicp import profile, profile_of
from deblur_cli.imaging.formats.isobmff import box
from deblur_cli.imaging.source import UnsupportedError

DISPLAY_P3 = {"red": (0.51512, 0.2412, -0.00105), "green": (0.29198, 0.69225, 0.04189)}
"""Colorants of Apple's profile, adapted to D50."""


def test_display_p3_is_the_usual_one():
    made = ImageCms.ImageCmsProfile(io.BytesIO(profile(12, 13))).profile
    for name, colorant in DISPLAY_P3.items():
        np.testing.assert_allclose(getattr(made, f"{name}_colorant")[0], colorant, atol=1e-4)


@pytest.mark.parametrize("primaries", [1, 2, 6])
def test_the_gamut_of_srgb_needs_no_profile(primaries):
    assert profile(primaries, 13) is None


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_a_high_dynamic_range_is_refused(transfer, name):
    with pytest.raises(UnsupportedError, match=name):
        profile(9, transfer)


def test_code_points_are_found_in_a_file():
    stated = box(b"colr", b"nclx" + bytes([0, 12, 0, 13, 0, 6, 0x80]))
    content = box(b"meta", bytes(4) + box(b"iprp", box(b"ipco", stated)))
    assert profile_of(content) == profile(12, 13)
    assert profile_of(b"") is None
