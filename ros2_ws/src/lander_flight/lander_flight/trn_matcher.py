"""From an image, the map and a predicted pose to a pose: acquisition over a wide area, then patches, agreement and fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from math import ceil, hypot
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lander_common.camera_geometry import Lens
from lander_common.image_map import HEIGHT_SIGMA, REGISTRATION, SPACING
from lander_flight.consensus import Agreement, agree
from lander_flight.map_reader import MapReader, MapView
from lander_flight.map_window import CameraPose, Picture, Window, rectify, site_points
from lander_flight.patch_matching import Limits, Matches, find_patches
from lander_flight.pose_fit import MapErrors, PoseFit, fit_pose
from lander_flight.trn_parameters import TrnParameters

Array = NDArray[np.float64]
Image = NDArray[np.uint8]

_GROUND_STEPS = 4  # of meeting the ground along the boresight
_SURROUNDINGS = 17  # cells along a side, that brightness is compared with in acquisition
_CLIPPED = 4.0  # standard deviations
_LEAST_LEVEL = 1e-3  # of brightness
_LARGEST_GAP = 0.2  # share of the view that may be missing in acquisition
_ACROSS = 0.25  # of what relief does along a displacement, across it: the rms tangent of the angles off the boresight of patches


class Outcome(Enum):
    """What came of an image; the numbers are those of TrnFix."""

    FIX = 0
    DARK = 3
    OFF_MAP = 4
    BLAND = 5
    FEW_MATCHES = 6
    INCONSISTENT = 7
    CHANCE = 8


@dataclass(frozen=True)
class Expectation:
    """What navigation thinks, and how far it may be wrong: 1-sigma, m, to the sides and up, and rad."""

    pose: CameraPose
    across_m: float
    up_m: float
    turn_rad: float


@dataclass(frozen=True)
class Sighting:
    """What was seen."""

    outcome: Outcome
    fit: PoseFit | None = None
    view: MapView | None = None
    pixels: Array = field(default_factory=lambda: np.zeros((0, 2)))  # of the patches that were found
    residuals_px: Array = field(
        default_factory=lambda: np.zeros((0, 2))
    )  # against the fix, else against the prediction
    members: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    scene_map_m: Array = field(default_factory=lambda: np.zeros(2))
    searched: int = 0
    log10_chance: float = 0.0


@dataclass(frozen=True)
class Comparison:
    """The second of two poses, corrected so that its image fits the first; covariance of its position, m^2, by the matches."""

    pose: CameraPose
    covariance: Array
    distance_m: float  # to the ground
    height_sigma_m: float  # 1-sigma of the map's heights there


class TrnMatcher:
    """Finds images on the map."""

    def __init__(self, parameters: TrnParameters, lens: Lens, reader: MapReader, radius_m: float) -> None:
        """`radius_m`: of the sphere through the target, which heights are above."""
        self._parameters = parameters
        self._lens = lens
        self._reader = reader
        self._radius = radius_m
        patches = parameters.patches
        self._limits = Limits(patches.least_contrast, patches.least_score, patches.least_lead)

    def track(self, image: Image, expected: Expectation) -> Sighting:
        """A fix near the predicted pose: a look at half of the resolution, then a close one; a wide one where that fails."""
        pyramid, view = Pyramid(image), self._view(expected.pose)
        reach = self._parameters.patches.reach_cells
        if view is not None and view.window.cells >= 2 * self._parameters.window.least_cells:
            halved = self._look(pyramid, expected, reach // 2, view.halved())
            if halved.outcome is Outcome.FIX and halved.fit is not None:
                sighting = self._refined(pyramid, expected, halved.fit.steady, view)
                if sighting.outcome is Outcome.FIX:
                    return sighting
        return self._look_closely(pyramid, expected, reach, view)

    def acquire(self, image: Image, expected: Expectation) -> Sighting:
        """A fix anywhere within the uncertainty: the view as a whole is searched for, then looked at closely."""
        pyramid, best = Pyramid(image), Sighting(Outcome.OFF_MAP)
        reach = 2 * self._parameters.patches.reach_cells
        for candidate in self._candidates(pyramid, expected):
            sighting = self._look_closely(pyramid, candidate, reach)
            if sighting.outcome is Outcome.FIX:
                return sighting
            if best.outcome is Outcome.OFF_MAP:
                best = sighting
        return best

    def lit(self, image: Image) -> bool:
        """Whether enough of the image is lit to be worth a look."""
        return float(np.mean(image[::4, ::4] > self._parameters.light.darkest)) >= self._parameters.light.least_lit

    def compare(
        self, first: Pyramid, first_pose: CameraPose, second: Pyramid, second_pose: CameraPose, below_m: float
    ) -> Comparison | None:
        """Match two images with each other over the relief of the map; None where they tell nothing."""
        ground = self._ground(second_pose)
        if ground is None or ground[2] > below_m:
            return None
        p = self._parameters
        e, n, distance = ground
        pixel = distance / self._lens.focal_px
        posting = pixel * p.window.pixels_per_cell
        zone = self._reader.zone(e, n, posting)
        if zone is None:
            return None
        view = self._read(Window.about(e, n, p.motion.cells, posting), zone, second_pose)
        before = self._rectify(first, first_pose, view.window, view.heights)
        fit = self._moved_between(view, before, second, second_pose, p.motion.reach_cells)
        if fit is not None:  # once more, as with a fix: the shifts are small then
            again = replace(second_pose, r_site=fit.steady.r_site)
            fit = self._moved_between(view, before, second, again, p.patches.refine_cells)
        if fit is None:
            return None
        turn = np.diag([0.0, 0.0, 0.0, *np.full(3, p.motion.turn_rad**-2)])
        covariance = np.linalg.inv(np.linalg.inv(fit.covariance) + turn)[:3, :3]
        covariance = covariance + (p.motion.common_cells * posting) ** 2 * np.eye(3)
        moved = fit.steady.r_site - first_pose.r_site
        covariance = covariance + _of_relief(moved, p.motion.relief_cells * posting / distance)
        return Comparison(fit.steady, covariance, distance, float(zone[HEIGHT_SIGMA]))

    def _moved_between(
        self, view: MapView, before: Picture, second: Pyramid, pose: CameraPose, reach: int
    ) -> PoseFit | None:
        """The pose of the second image, corrected so that it fits `before`; None where they do not agree."""
        p, a = self._parameters, self._parameters.agreement
        after = self._rectify(second, pose, view.window, view.heights)
        template = np.where(np.isnan(before), 0.0, before)
        matches = find_patches(template, after, p.patches.cells, reach, self._limits)
        place = np.stack([matches.row, matches.column], axis=1)
        shift = np.stack([matches.shift_row, matches.shift_column], axis=1)
        agreement = agree(place, shift, a.tolerance_cells, a.largest_stretch, reach)
        if agreement.count < a.least_matches or agreement.log10_chance > a.log10_chance:
            return None
        k = agreement.members
        points, pixels = self._correspondences(view, matches, pose)
        least_px = p.motion.least_error_cells * p.window.pixels_per_cell
        return fit_pose(points[k], pixels[k], least_px, self._lens, pose, p.motion.turn_rad)

    # Acquisition

    def _candidates(self, pyramid: Pyramid, expected: Expectation) -> Iterator[Expectation]:
        """Poses at which the view as a whole correlates best with the map, best first."""
        p, found = self._parameters.acquisition, []
        for height in self._heights(expected):
            pose = _raised(expected.pose, height, self._radius)
            match = self._match_view(pyramid, replace(expected, pose=pose))
            if match is not None:
                found += [(score, pose, shift) for score, shift in match]
        found.sort(key=lambda each: -each[0])
        for score, pose, (east, north) in found[: p.candidates]:
            if score >= p.least_score:
                yield replace(expected, pose=self._moved(pose, east, north))

    def _heights(self, expected: Expectation) -> Array:
        """Corrections of the height to try, m."""
        p = self._parameters.acquisition
        ground = self._ground(expected.pose)
        if ground is None:
            return np.zeros(1)
        reach, step = p.search_sigma * expected.up_m, p.scale_step * ground[2]
        count = max(0, ceil((reach - 0.5 * step) / step))
        heights = np.asarray(step * np.arange(-count, count + 1), float)
        return heights[heights > -ground[2]]  # not under the ground

    def _match_view(self, pyramid: Pyramid, expected: Expectation) -> list[tuple[float, tuple[float, float]]] | None:
        """Highest correlations of the view with the map around, and the shifts (east, north), m, at which they are."""
        p, ground = self._parameters.acquisition, self._ground(expected.pose)
        if ground is None:
            return None
        e, n, distance = ground
        across = p.view_share * min(self._lens.width_px, self._lens.height_px) * distance / self._lens.focal_px
        zone = self._reader.zone(e, n, across / p.cells)
        if zone is None:
            return None
        posting = max(across / p.cells, float(zone[SPACING]))
        cells = int(across / posting)
        away_m = p.search_sigma * hypot(expected.across_m, float(zone[REGISTRATION]))
        margin = min(ceil(min(away_m, p.largest_m) / posting), p.largest_cells)
        if cells < p.least_cells:
            return None
        around = self._read(Window.about(e, n, cells + 2 * margin, posting), zone, expected.pose)
        middle = Window.about(e, n, cells, posting)
        inside = around.heights[margin : margin + cells, margin : margin + cells]
        seen = self._rectify(pyramid, expected.pose, middle, inside)
        if np.isnan(seen).mean() > _LARGEST_GAP:
            return None
        expectation = np.where(np.isnan(around.heights), np.float32(np.nan), around.expected)
        scores = cv2.matchTemplate(structure(expectation), structure(seen), cv2.TM_CCOEFF_NORMED)
        peaks = highest(scores, p.candidates, cells // 8)
        return [(score, ((j - margin) * posting, (i - margin) * posting)) for score, i, j in peaks]

    # Tracking

    def _look_closely(
        self, pyramid: Pyramid, expected: Expectation, reach: int, view: MapView | None = None
    ) -> Sighting:
        """Patches within reach of where they are expected, twice: the second time about the pose that the first gave."""
        first = self._look(pyramid, expected, reach, view or self._view(expected.pose))
        if first.outcome is not Outcome.FIX or first.fit is None or first.view is None:
            return first
        return self._refined(pyramid, expected, first.fit.steady, first.view)

    def _refined(self, pyramid: Pyramid, expected: Expectation, pose: CameraPose, view: MapView) -> Sighting:
        """A look with a narrow search about a pose that is nearly right."""
        again, reach = replace(expected, pose=pose), self._parameters.patches.refine_cells
        return self._checked(self._look(pyramid, again, reach, view, self._map_errors(view)), expected)

    def _look(
        self,
        pyramid: Pyramid,
        expected: Expectation,
        reach: int,
        view: MapView | None,
        errors: MapErrors | None = None,
    ) -> Sighting:
        """Patches, agreement and fit; `errors` of the map go into the covariance of a fix that is to be used."""
        if view is None or view.covered < 0.5:
            return Sighting(Outcome.OFF_MAP)
        seen = self._rectify(pyramid, expected.pose, view.window, view.heights)
        p = self._parameters.patches
        patch = max(p.least_cells, min(p.cells, (view.window.cells - 2 * reach) // p.per_window)) | 1
        matches = find_patches(view.expected, seen, patch, reach, self._limits)
        a = self._parameters.agreement
        if matches.searched < a.least_matches:
            return Sighting(Outcome.BLAND, view=view, searched=matches.searched)
        if matches.count < a.least_matches:
            return Sighting(Outcome.FEW_MATCHES, view=view, searched=matches.searched)
        place = np.stack([matches.row, matches.column], axis=1)
        shift = np.stack([matches.shift_row, matches.shift_column], axis=1)
        agreement = agree(place, shift, a.tolerance_cells, a.largest_stretch, reach)
        return self._fit(view, matches, agreement, expected, errors)

    def _fit(
        self, view: MapView, matches: Matches, agreement: Agreement, expected: Expectation, errors: MapErrors | None
    ) -> Sighting:
        a = self._parameters.agreement
        points, pixels = self._correspondences(view, matches, expected.pose)
        outcome = Outcome.FIX
        if agreement.count < max(a.least_matches, a.least_share * matches.searched):
            outcome = Outcome.INCONSISTENT
        elif agreement.log10_chance > a.log10_chance:
            outcome = Outcome.CHANCE
        seen = Sighting(
            outcome,
            view=view,
            pixels=pixels,
            residuals_px=pixels - self._project(points, expected.pose),
            members=agreement.members,
            searched=matches.searched,
            log10_chance=agreement.log10_chance,
        )
        if outcome is not Outcome.FIX:
            return seen
        k = agreement.members
        scale = self._pixels_per_cell(view, expected.pose)
        fit = fit_pose(
            points[k],
            pixels[k],
            a.least_error_cells * scale,
            self._lens,
            expected.pose,
            expected.turn_rad,
            errors,
        )
        common = self._parameters.map_errors.common_cells * view.window.posting_m
        fit = replace(fit, covariance=fit.covariance + np.diag([*np.full(3, common**2), 0.0, 0.0, 0.0]))
        residuals = pixels - self._project(points, fit.pose)
        e, n = view.window.place(matches.row[k], matches.column[k])
        return replace(seen, fit=fit, residuals_px=residuals, scene_map_m=np.array([e.mean(), n.mean()]))

    def _map_errors(self, view: MapView) -> MapErrors:
        m, posting = self._parameters.map_errors, view.window.posting_m
        reach = max(m.height_correlation_spacings * float(view.zone[SPACING]), m.least_height_correlation_m)
        return MapErrors(
            height_m=float(view.zone[HEIGHT_SIGMA]),
            height_correlation_m=reach,
            shift_m=m.shift_cells * posting,
            shift_correlation_m=m.shift_correlation_cells * posting,
        )

    def _checked(self, sighting: Sighting, expected: Expectation) -> Sighting:
        """The last word: residuals as small as they must be, and an attitude that navigation can believe."""
        if sighting.outcome is not Outcome.FIX or sighting.fit is None or sighting.view is None:
            return sighting
        a, fit = self._parameters.agreement, sighting.fit
        largest_px = a.largest_residual_cells * self._pixels_per_cell(sighting.view, fit.steady)
        turned = fit.steady.R_site_optical @ expected.pose.R_site_optical.T
        angle = 0.5 * float(np.linalg.norm(turned - turned.T)) / 2.0**0.5
        if fit.rms_px > largest_px or angle > a.largest_turn_sigma * expected.turn_rad:
            return replace(sighting, outcome=Outcome.INCONSISTENT, fit=None)
        return sighting

    def _correspondences(self, view: MapView, matches: Matches, pose: CameraPose) -> tuple[Array, Array]:
        """Points of the map, m in site, and where the image shows them, px: the pixel of the cell that each was found at."""
        window = view.window
        place, found = (
            (matches.row, matches.column),
            (matches.row + matches.shift_row, matches.column + matches.shift_column),
        )
        points = site_points(*window.place(*place), _bilinear(view.heights, *place), self._radius)
        shown = site_points(*window.place(*found), _bilinear(view.heights, *found), self._radius)
        return points, self._project(shown, pose)

    # Geometry

    def _project(self, points: Array, pose: CameraPose) -> Array:
        return self._lens.pixels((points - pose.r_site) @ pose.R_site_optical)

    def _ground(self, pose: CameraPose) -> tuple[float, float, float] | None:
        """Where the boresight meets the map: map coordinates, m, and distance, m; None where it does not."""
        along, height = pose.R_site_optical[:, 2], 0.0
        e = n = distance = 0.0
        for _ in range(_GROUND_STEPS):
            distance = _distance_to_sphere(pose.r_site, along, self._radius, height)
            if not distance > 0.0:
                return None
            e, n = to_map(pose.r_site + distance * along, self._radius)
            height = self._reader.height(e, n, distance / self._lens.focal_px)
            if np.isnan(height):
                return None
        return e, n, distance

    def _view(self, pose: CameraPose) -> MapView | None:
        """The window of the map that the camera looks at, at the posting that suits."""
        p, ground = self._parameters.window, self._ground(pose)
        if ground is None:
            return None
        e, n, distance = ground
        pixel = distance / self._lens.focal_px
        zone = self._reader.zone(e, n, pixel * p.pixels_per_cell)
        if zone is None:
            return None
        posting = max(pixel * p.pixels_per_cell, float(zone[SPACING]))
        across = p.view_share * min(self._lens.width_px, self._lens.height_px) * pixel
        cells = min(p.cells, int(across / posting))
        return self._read(Window.about(e, n, cells, posting), zone, pose) if cells >= p.least_cells else None

    def _read(self, window: Window, zone: Array, pose: CameraPose) -> MapView:
        middle = window.place(*[np.array([0.5 * (window.cells - 1)])] * 2)
        point = site_points(*middle, np.zeros(1), self._radius)[0]
        R_site_map = map_axes(point + [0.0, 0.0, self._radius])
        view = R_site_map.T @ (pose.r_site - point)
        return self._reader.read(window, zone, view / np.linalg.norm(view), R_site_map)

    def _rectify(self, pyramid: Pyramid, pose: CameraPose, window: Window, heights: Picture) -> Picture:
        ground = self._ground(pose)
        pixel = ground[2] / self._lens.focal_px if ground else window.posting_m
        level, image = pyramid.level(window.posting_m / pixel)
        placed = (window.east_m, window.north_m, window.posting_m)
        return np.asarray(
            rectify(image, level, self._lens.numbers, pose.r_site, pose.R_site_optical, *placed, heights, self._radius)
        )

    def _pixels_per_cell(self, view: MapView, pose: CameraPose) -> float:
        ground = self._ground(pose)
        return view.window.posting_m * self._lens.focal_px / ground[2] if ground else 1.0

    def _moved(self, pose: CameraPose, east: float, north: float) -> CameraPose:
        """The pose carried over the ground, m: the map lies that far from where it was expected."""
        R = map_axes(pose.r_site + [0.0, 0.0, self._radius])
        return replace(pose, r_site=pose.r_site + R @ [east, north, 0.0])


class Pyramid:
    """An image, averaged over squares of pixels as asked for."""

    def __init__(self, image: Image) -> None:
        self._levels: dict[int, Picture] = {1: image.astype(np.float32)}

    def level(self, pixels: float) -> tuple[int, Picture]:
        """The picture whose pixels are the nearest whole number of those of the image, not more than asked for."""
        level = max(1, int(pixels))
        if level not in self._levels:
            full = self._levels[1]
            size = (full.shape[1] // level, full.shape[0] // level)
            whole = full[: size[1] * level, : size[0] * level]
            self._levels[level] = np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA), np.float32)
        return level, self._levels[level]


def structure(picture: Picture) -> Picture:
    """Brightness relative to its surroundings, clipped; 0 where there is none.

    What is large in a view, such as the fall of brightness with the phase angle, would else outweigh craters.
    """
    missing = np.isnan(picture)
    filled = np.where(missing, np.float32(np.nanmean(picture)), picture)
    level = np.asarray(cv2.blur(filled, (_SURROUNDINGS, _SURROUNDINGS)))
    relative = np.where(missing, 0.0, filled / np.maximum(level, _LEAST_LEVEL) - 1.0)
    bound = _CLIPPED * float(relative.std())
    return np.clip(relative, -bound, bound).astype(np.float32)


def highest(scores: Any, count: int, apart: int) -> list[tuple[float, int, int]]:
    """The highest values, so many cells apart from each other, with row and column."""
    scores, found = scores.copy(), []
    for _ in range(count):
        _, top, _, (j, i) = cv2.minMaxLoc(scores)
        found.append((float(top), i, j))
        scores[max(i - apart, 0) : i + apart + 1, max(j - apart, 0) : j + apart + 1] = -1.0
    return found


def to_map(r_site: Array, radius_m: float) -> tuple[float, float]:
    """Map coordinates, m, of a point in site, m."""
    across = float(np.hypot(r_site[0], r_site[1]))
    if across < 1e-9:
        return float(r_site[0]), float(r_site[1])
    scale = radius_m * np.arctan2(across, r_site[2] + radius_m) / across
    return float(scale * r_site[0]), float(scale * r_site[1])


def map_axes(p_site: Array) -> Array:
    """East, north (as on the map, carried along the great circle from the target) and up at a place; columns, in site.

    `p_site`: from the Moon's centre, m, along the axes of site.
    """
    x, y, z = p_site / np.linalg.norm(p_site)
    k = 1.0 / (1.0 + z)
    return np.array([[1.0 - k * x * x, -k * x * y, x], [-k * x * y, 1.0 - k * y * y, y], [-x, -y, z]])


def _distance_to_sphere(r_site: Array, along: Array, radius_m: float, height_m: float) -> float:
    """Along a ray, m, to the sphere at a height; NaN where it misses."""
    p = r_site + [0.0, 0.0, radius_m]
    b, c = float(p @ along), float(p @ p) - (radius_m + height_m) ** 2
    square = b * b - c
    return -b - square**0.5 if square >= 0.0 else float("nan")


def _of_relief(moved: Array, share: float) -> Array:
    """Covariance of a displacement, m^2, by relief that is not in the heights: `share` of its length, across a quarter of that."""
    along, across = share**2, (_ACROSS * share) ** 2
    return np.asarray((along - across) * np.outer(moved, moved) + across * float(moved @ moved) * np.eye(3))


def _raised(pose: CameraPose, height_m: float, radius_m: float) -> CameraPose:
    p = pose.r_site + [0.0, 0.0, radius_m]
    return replace(pose, r_site=pose.r_site + height_m * p / np.linalg.norm(p))


def _bilinear(values: Picture, row: Array, column: Array) -> Array:
    """Values at places in cells; beyond the edge, those of the edge."""
    i, j = np.clip(row, 0.0, values.shape[0] - 1.001), np.clip(column, 0.0, values.shape[1] - 1.001)
    i0, j0 = i.astype(int), j.astype(int)
    fi, fj = i - i0, j - j0
    low = values[i0, j0] * (1.0 - fj) + values[i0, j0 + 1] * fj
    high = values[i0 + 1, j0] * (1.0 - fj) + values[i0 + 1, j0 + 1] * fj
    return np.asarray(low * (1.0 - fi) + high * fi)
