"""The figures of a table: how each is called, rounded and judged."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """How a figure is shown."""

    label: str
    decimals: int
    better: str
    """``higher``, ``lower``, or empty where neither is meant."""

    @property
    def heading(self) -> str:
        """The label, with an arrow towards what is better."""
        return self.label + {"higher": " ↑", "lower": " ↓", "": ""}[self.better]

    def text(self, value: float) -> str:
        """The value, rounded; a dash for what is not known."""
        return "-" if math.isnan(value) else f"{value:.{self.decimals}f}"


_PSNR = "PSNR (dB)"

FIGURES = {
    "psnr": Figure(_PSNR, 3, "higher"),
    "ssim_matlab3d": Figure("SSIM (MATLAB, 3-D)", 4, "higher"),
    "ssim": Figure("SSIM (Gaussian)", 4, "higher"),
    "ssim_uniform": Figure("SSIM (uniform 7x7)", 4, "higher"),
    "mae": Figure("MAE", 4, "lower"),
    "lpips": Figure("LPIPS", 4, "lower"),
    "st_lpips": Figure("ST-LPIPS", 4, "lower"),
    "niqe": Figure("NIQE (own model)", 3, "lower"),
    "niqe_given": Figure("NIQE (given model)", 3, "lower"),
    "niqe_matlab": Figure("NIQE (MATLAB's model)", 3, "lower"),
    "fid": Figure("FID", 3, "lower"),
    "kid": Figure("KID", 5, "lower"),
    "psnr_aligned": Figure("PSNR aligned (dB)", 3, "higher"),
    "ssim_aligned": Figure("SSIM aligned", 4, "higher"),
    "aligned": Figure("share aligned", 4, ""),
    "psnr_before": Figure("PSNR before", 3, ""),
    "psnr_after": Figure("PSNR after", 3, "higher"),
    "psnr_gain": Figure("PSNR gain", 3, "higher"),
    "fit_before": Figure("PSNR fitted before", 3, ""),
    "fit_after": Figure("PSNR fitted after", 3, "higher"),
    "fit_gain": Figure("PSNR fitted gain", 3, "higher"),
    "ssim_before": Figure("SSIM before", 4, ""),
    "ssim_after": Figure("SSIM after", 4, "higher"),
    "psnr_to_input": Figure("PSNR to input", 3, "higher"),
}
"""By the names that records and JSON give them."""

COMPANIONS = {"niqe": "niqe_matlab", "niqe_given": "niqe_matlab"}
"""Figures of papers that stand beside ours, each in a column of its own."""
