"""Constants of the Moon, each with its source."""

from __future__ import annotations

GM_M3_S2 = 4.90280007e12  # gravitational parameter, m3/s2 (JPL Horizons)
REFERENCE_RADIUS_M = 1_737_400.0  # mean radius, m: heights in maps and altitudes of orbits refer to this sphere (IAU)
GRAVITY_RADIUS_M = 1_738_000.0  # radius that J2 and C22 refer to, m (JPL Horizons, GRAIL models)
J2 = 2.032337e-4  # unnormalised (Konopliv et al. 2001, LP165P, as tabulated in Vallado-type constants lists)
C22 = 2.24e-5  # unnormalised, from memory of the literature; principal axes, so S22 = 0
ROTATION_RATE_RAD_S = 2.6617073e-6  # sidereal rotation, rad/s (boule 0.3, Moon ellipsoid)
STANDARD_GRAVITY_M_S2 = 9.80665  # m/s2, by definition: turns specific impulse in s into exhaust velocity
