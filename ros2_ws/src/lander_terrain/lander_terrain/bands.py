"""Fading of detail that is too small for a baseline."""

from __future__ import annotations

from lander_terrain.jit import jit

# A mean over a baseline B leaves about half of a wave of length 1.7 B. Gradient noise of lattice L has its power near
# wavelength 1.7 L, so it fades between L = 0.5 B and 1.5 B. For craters, this fade by D / B comes nearest to means over
# squares of side B of the nominal terrain (tried: lower ends 0.5 to 1, upper ends 2 to 4).
NOISE_LOST, NOISE_KEPT = 0.5, 1.5
CRATER_LOST, CRATER_KEPT = 0.5, 3.0


@jit
def smoothstep(x: float) -> float:
    """Rise from 0 at x <= 0 to 1 at x >= 1 with level ends."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    return x * x * (3.0 - 2.0 * x)


@jit
def smoothstep_slope(x: float) -> float:
    """Derivative of `smoothstep`."""
    if x <= 0.0 or x >= 1.0:
        return 0.0
    return 6.0 * x * (1.0 - x)


@jit
def noise_weight(lattice: float, baseline: float) -> float:
    """Share of an octave that is left at a baseline, both m."""
    if baseline <= 0.0:
        return 1.0
    return smoothstep((lattice / baseline - NOISE_LOST) / (NOISE_KEPT - NOISE_LOST))


@jit
def crater_weight(diameter: float, baseline: float) -> float:
    """Share of a crater that is left at a baseline, both m."""
    if baseline <= 0.0:
        return 1.0
    return smoothstep((diameter / baseline - CRATER_LOST) / (CRATER_KEPT - CRATER_LOST))
