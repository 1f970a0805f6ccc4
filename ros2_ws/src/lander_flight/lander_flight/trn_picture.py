"""An image with what terrain-relative navigation made of it drawn on it: for people."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lander_runtime.messages import Message, TrnFix

Image = NDArray[np.uint8]

_GREEN, _RED, _YELLOW, _WHITE = (90, 220, 90), (90, 90, 240), (60, 220, 250), (255, 255, 255)  # blue, green, red
_STRETCH = 20.0  # residuals are drawn so much longer
_OUTCOMES = ("fix", "waiting", "no image", "dark", "off the map", "bland", "few matches", "inconsistent", "by chance")


def annotated(pixels: Image, fix: Message, text: bool = True) -> Image:
    """The image in colour (blue, green, red): patches that agree in green, others in red, residuals in yellow, a line of text."""
    picture: Any = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_GRAY2BGR)
    for u, v, du, dv, matched in zip(
        fix.u_px, fix.v_px, fix.residual_u_px, fix.residual_v_px, fix.matched, strict=True
    ):
        place = (round(float(u)), round(float(v)))
        if matched and fix.valid:
            end = (round(float(u + _STRETCH * du)), round(float(v + _STRETCH * dv)))
            cv2.line(picture, place, end, _YELLOW, 1, cv2.LINE_AA)
        cv2.circle(picture, place, 3, _GREEN if matched else _RED, 1, cv2.LINE_AA)
    for line, words in enumerate(caption(fix) if text else ()):
        cv2.putText(picture, words, (8, 18 + 18 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _WHITE, 1, cv2.LINE_AA)
    return np.asarray(picture, np.uint8)


def caption(fix: Message) -> tuple[str, str]:
    """What came of the image, in two lines."""
    mode = "acquisition" if fix.mode == TrnFix.ACQUISITION else "tracking"
    found = f"{_OUTCOMES[fix.reason]}, {mode}: {fix.matches} of {fix.patches} patches"
    return (
        found,
        f"map {fix.zone_spacing_m:.3g} m, residual {fix.residual_px:.2f} px (x{_STRETCH:.0f}), chance 1e{fix.log10_chance:.0f}",
    )
