"""From brightness to numbers: photons, noise, the converter, and the control of the exposure."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from lander_sensors.camera_parameters import Exposure, Imager
from lander_terrain.jit import jit

Image = NDArray[np.float32]
Pixels = NDArray[np.uint8]

_EVERY = 7  # pixels along both axes: as many as the control of the exposure looks at


class Detector:
    """An imager with its own pattern of sensitivity."""

    def __init__(self, parameters: Imager, shape: tuple[int, int], build: np.random.Generator) -> None:
        self._parameters = parameters
        pattern = build.standard_normal(shape, np.float32)
        self._response = np.float32(1.0) + np.float32(parameters.response_nonuniformity) * pattern
        self._normals = np.empty(shape, np.float32)
        self._pixels = np.empty(shape, np.uint8)

    def expose(self, brightness: Image, exposure_s: float, noise: np.random.Generator) -> Pixels:
        """What the converter gives for a brightness (I/F) in every pixel, shape (height, width)."""
        p = self._parameters
        noise.standard_normal(dtype=np.float32, out=self._normals)
        light, dark = p.electrons_per_s * exposure_s, p.dark_current_e_s * exposure_s
        _convert(
            brightness,
            self._response,
            self._normals,
            (light, dark, p.read_noise_e, p.full_well_e, float(2**p.bits - 1), float(2 ** (8 - p.bits))),
            self._pixels,
        )
        return self._pixels.copy()


@jit
def _convert(
    brightness: Image,
    response: Image,
    normals: Image,
    numbers: tuple[float, float, float, float, float, float],
    pixels: Pixels,
) -> None:
    """Photon noise (Poisson, as normal: there are hundreds of electrons), read noise, full well, converter."""
    light, dark, read, full, largest, step = numbers
    for i in range(brightness.shape[0]):
        for j in range(brightness.shape[1]):
            mean = light * brightness[i, j] * response[i, j] + dark
            electrons = mean + sqrt(max(mean, 0.0) + read * read) * normals[i, j]
            number = min(max(electrons / full, 0.0), 1.0) * largest
            pixels[i, j] = np.uint8(int(number + 0.5) * step)


def next_exposure_s(parameters: Exposure, exposure_s: float, pixels: Pixels) -> float:
    """Exposure for the next frame, from the one that gave these pixels."""
    seen = float(np.percentile(pixels[::_EVERY, ::_EVERY], parameters.percentile))
    largest = float(np.iinfo(np.uint8).max)
    lowest = 1.0 / parameters.largest_step
    factor = (
        lowest if seen >= largest else parameters.target * largest / max(seen, 1.0)
    )  # too bright: no telling how much
    factor = min(max(factor, lowest), parameters.largest_step)
    return min(max(exposure_s * factor, parameters.shortest_s), parameters.longest_s)
