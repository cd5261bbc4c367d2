"""How the field measures on each data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from deblur_cli.errors import UsageError
from deblur_cli.evaluation.measures import MEASURES

_SAMPLES = {
    "uint8": "results clipped and rounded to 8 bits",
    "float32": "files read with 8 bits, results clipped but not rounded",
}
_NOTES = {
    "realblur": "results scaled to the truth, aligned by ECC homography (if that did not converge, "
    "scaled only), and judged where both show something",
    "lpips": "LPIPS by AlexNet",
    "fid-kid": "FID and KID of all pictures together",
}


@dataclass(frozen=True)
class Protocol:
    """What is measured, and on which samples."""

    name: str
    measures: tuple[str, ...]
    """Names in `MEASURES`."""
    main: str = "psnr"
    """The figure that tells the best picture from the worst, if it is measured."""
    samples: Literal["uint8", "float32"] = "uint8"
    """What networks are given and what their results are judged in; uint8 is rounded, as if
    saved as PNG."""

    @property
    def text(self) -> str:
        """How the figures come about, in one sentence for tables."""
        notes = (_NOTES[name] for name in self.measures if name in _NOTES)
        return "; ".join((_SAMPLES[self.samples], *notes, "means over pictures"))

    def measuring(self, names: str) -> Protocol:
        """The same with other measures.

        Args:
            names: of measures, with commas between them; a second mention changes nothing.

        Raises:
            UsageError: a name is not known.
        """
        chosen = tuple(dict.fromkeys(name.strip() for name in names.split(",")))
        if unknown := [name for name in chosen if name not in MEASURES]:
            raise UsageError(
                f"no metric is named '{unknown[0]}'", remedy=f"there are {', '.join(MEASURES)}"
            )
        return replace(self, measures=chosen)


_GOPRO = ("psnr", "ssims")
_DPDD = ("psnr", "ssim_uniform", "mae", "lpips")

PROTOCOLS: Mapping[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol("gopro", _GOPRO),
        Protocol("gopro-gamma", _GOPRO),
        Protocol("hide", _GOPRO),
        Protocol("realblur-j", ("realblur",), "psnr_aligned"),
        Protocol("realblur-r", ("realblur",), "psnr_aligned"),
        Protocol("dpdd", _DPDD, samples="float32"),
        Protocol("dpdd-left", _DPDD, samples="float32"),
        Protocol("dpdd-right", _DPDD, samples="float32"),
        Protocol("rwbi", ("niqe",), "niqe"),
    )
}
"""By the names of published sets."""

SHARP = Protocol("sharp photos", ("to-input",), "psnr_to_input")


def pairs_protocol(colour_fit: bool) -> Protocol:
    """PSNR and Gaussian SSIM before and after, for any folder of pairs.

    Args:
        colour_fit: also the PSNR after a gain and offset per channel, for pairs whose exposures
            differ.
    """
    fit = ("fit-before-after",) if colour_fit else ()
    return Protocol("pairs", ("before-after", *fit, "ssim-before-after"), "psnr_after")
