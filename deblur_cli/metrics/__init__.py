"""How near a restored image is to the truth, by the field's protocols, as pure functions."""

from __future__ import annotations

from deblur_cli.metrics.error import mae
from deblur_cli.metrics.psnr import psnr, psnr_best_shift, psnr_colour_fit
from deblur_cli.metrics.ssim import ssim, ssim_both, ssim_matlab3d, ssim_uniform

__all__ = [
    "mae",
    "psnr",
    "psnr_best_shift",
    "psnr_colour_fit",
    "ssim",
    "ssim_both",
    "ssim_matlab3d",
    "ssim_uniform",
]
