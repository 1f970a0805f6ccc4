"""Which plots a report has, in their order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure

from lander_terrain import Terrain
from lander_tools.report import control_plots, descent_plots, ground_plots, navigation_plots, timeline_plots, trn_plots
from lander_tools.report.flight_data import FlightData


@dataclass(frozen=True)
class Plot:
    """A plot: its name (of the PNG too), its title, what it shows, how it is drawn, and the tables that it needs."""

    name: str
    title: str
    caption: str
    draw: Callable[[FlightData, Terrain | None], Figure]
    needs: tuple[str, ...] = ()  # tables of FlightData without which there is nothing to draw


def _plain(draw: Callable[[FlightData], Figure]) -> Callable[[FlightData, Terrain | None], Figure]:
    return lambda flight, _terrain: draw(flight)


PLOTS = (
    Plot(
        "descent",
        "Altitude and speeds",
        "True altitude of the lowest landing pad above the ground, speed over ground and descent rate. Every other "
        "guidance phase is shaded; the dashed line is first contact.",
        _plain(descent_plots.altitude_and_speeds),
    ),
    Plot(
        "timeline",
        "Phases and events",
        "What was active when, and what happened in the world (blue), to the nodes (red) and in health (orange).",
        _plain(timeline_plots.timeline),
        ("state",),
    ),
    Plot(
        "profile",
        "Profile of the descent",
        "Height above the sphere through the site against the way to go, over the terrain below the track.",
        ground_plots.profile,
    ),
    Plot(
        "ground_track",
        "Ground track",
        "Above: the whole approach, not to scale. Below: the landing area, lit by a low Sun. The ellipse is "
        "navigation's own 3-sigma at the end.",
        ground_plots.ground_track,
    ),
    Plot(
        "terminal",
        "Terminal descent",
        "The last kilometre. The diamonds are the speeds that ispace published for Mission 1: 33 m/s at 1 km and "
        "4.7 m/s at 20 m. The scale of altitude is logarithmic above 10 m.",
        _plain(descent_plots.terminal_descent),
    ),
    Plot(
        "attitude",
        "Attitude",
        "Lean of the thrust axis from the local vertical; rate about the body axes; attitude error that the throttle "
        "worked on.",
        _plain(control_plots.attitude),
    ),
    Plot(
        "thrust",
        "Thrust",
        "Thrust along the vehicle's axis, and the share of time for which each thruster was commanded open.",
        _plain(control_plots.thrust),
        ("throttle",),
    ),
    Plot(
        "propellant",
        "Propellant",
        "Usable propellant in the tanks, true and as gauged.",
        _plain(descent_plots.propellant),
    ),
    Plot(
        "position_error",
        "Navigation: position",
        "Estimated less true position along the axes of the site, with navigation's own 3-sigma; the end enlarged.",
        _plain(navigation_plots.position_error),
        ("state",),
    ),
    Plot(
        "velocity_error",
        "Navigation: velocity",
        "Estimated less true velocity along the axes of the site, with navigation's own 3-sigma; the end enlarged.",
        _plain(navigation_plots.velocity_error),
        ("state",),
    ),
    Plot(
        "attitude_error",
        "Navigation: attitude",
        "Rotation from the true to the estimated attitude about the body axes, with navigation's own 3-sigma.",
        _plain(navigation_plots.attitude_error),
        ("state",),
    ),
    Plot(
        "ranges",
        "Rangefinder",
        "Slant range as measured; link margin above the detection threshold; and each innovation over the 1-sigma that "
        "the filter expected of it, in the colour of navigation's verdict (beyond 30 it is drawn at 30).",
        _plain(navigation_plots.ranges),
        ("range", "state"),
    ),
    Plot(
        "fixes",
        "Terrain-relative navigation: fixes",
        "Place of the camera by each fix less the true one, with 3-sigma of the fix, the registration and the heights "
        "of the map together; patches searched and those that agree (red: an image without a fix); their residuals.",
        _plain(trn_plots.fixes_over_time),
        ("fixes", "frames"),
    ),
    Plot(
        "views",
        "Terrain-relative navigation: ground track on the map",
        "Where the patches were that gave each fix, by the zone of the map that they were found in, and the true track.",
        _plain(trn_plots.views_on_the_map),
        ("fixes", "frames"),
    ),
    Plot(
        "frames",
        "Terrain-relative navigation: what the camera saw",
        "Patches of the map found in the image: green where they agree on one pose, red where they do not; residuals "
        "in yellow, enlarged.",
        _plain(trn_plots.frames),
        ("frames",),
    ),
    Plot(
        "health",
        "Health and message ages",
        "The health checks that were not ok at some time, and how old the newest range was that navigation used.",
        _plain(timeline_plots.health),
        ("health", "state"),
    ),
    Plot(
        "payload",
        "Payload power",
        "What the payloads drew and what they were allowed.",
        _plain(timeline_plots.payload_power),
        ("payload",),
    ),
)
