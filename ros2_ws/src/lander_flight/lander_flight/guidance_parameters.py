"""Parameters of guidance: config/guidance/<name>.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lander_common.mission import Fraction, NonNegative, Positive
from lander_common.mission_map import TargetChoice
from lander_flight.heritage.reset_response import ResetResponseParameters
from lander_runtime.config import Parameters


class DeorbitParameters(Parameters):
    """Deorbit burn."""

    time_limit_factor: Annotated[float, Field(gt=1)]  # of the planned burn time: over then, whatever was sensed


class CoastParameters(Parameters):
    """Coast and choice of ignition."""

    slew_rate_deg_s: Positive
    attitude_settled_deg: Positive
    wake_s: Positive  # before ignition: short ticks from then on
    replan_s: Positive  # while ignition is far
    replan_near_s: Positive  # in the last `wake_s`


class BrakingParameters(Parameters):
    """Braking to the gate."""

    level: Fraction  # of full thrust, planned
    level_least: Fraction
    level_most: Fraction
    replan_s: Positive
    level_hold_s: Positive  # to go: the level is not changed later than this
    steering_hold_s: Positive  # to go: nor the steering
    shape_allowance_s: NonNegative  # longer burn that is accepted to reach the target when the level is at a limit
    shape_least_s: Positive  # to go: shorter arcs turn too little for their shape to change the range
    longest_s: Positive  # of an arc
    least_end_pitch_deg: float  # of the thrust above the horizontal at the gate
    late_start_speed_m_s: (
        Positive  # relative to the ground: slower than this when guidance starts, braking is behind it
    )
    abandon_s: Positive  # to go: an arc that cannot be renewed is given up for the pitch-up from then on
    abandon_failures: Annotated[int, Field(ge=1)]  # in a row
    slew_rate_deg_s: Positive


class PitchUpEnd(Parameters):
    """Where the pitch-up may end, upright above the target."""

    altitude_m: Positive  # of the pads
    speed_m_s: Positive  # down


class PitchUpParameters(Parameters):
    """The reference from the gate to the top of the terminal descent: thrust acceleration linear in time."""

    duration_s: Positive
    start_acceleration_m_s2: Positive  # of the thrust
    start_pitch_deg: Annotated[float, Field(gt=0, lt=90)]  # of the thrust above the horizontal
    end_acceleration_m_s2: Positive  # of the thrust, straight up
    ends: Annotated[tuple[PitchUpEnd, ...], Field(min_length=1)]  # the first is the plan, the rest are for need
    end_need_m_s2: Positive  # a later end is taken where the profile would leave the thrust limits by more than this
    divert_m_s2: Positive  # horizontal acceleration that may go into reaching the target
    shortest_s: Positive  # of the duration that guidance chooses
    longest_s: Positive  # from the gate
    better: Fraction  # a new duration is taken when it costs less than the old one by this share
    replan_s: Positive
    choice_hold_s: Positive  # to go: the duration and the end are held from then on
    hold_s: Positive  # to go: the whole profile is held from then on
    lowest: Fraction  # of the end's altitude: below this the terminal descent takes over whatever the profile says


class TerminalParameters(Parameters):
    """Terminal descent."""

    deceleration_m_s2: Positive  # net, of the speed profile
    level_most: Fraction  # of full thrust, with the main engine on
    thrust_margin: Fraction  # of the assist thrust kept back from the profile
    speed_gain_1_s: Positive
    touchdown_speed_m_s: Positive
    least_thrust: Fraction  # of the assist thrust
    relight_margin: Positive  # main engine on when the needed thrust is above this share of the assist thrust
    cutoff_margin: Positive  # and off again below this
    relight_height_m: Positive  # a speed that the assist thrusters stop within this height needs no main engine
    velocity_gain_1_s: Positive  # horizontal, at most
    divert_m_s2: Positive  # horizontal deceleration at which a far target is approached
    position_floor_m: Positive  # altitude at which the lander is to be over it; lower, the position is left alone
    level_share: Fraction  # of the horizontal acceleration at the limit of tilt that the descent may count upon
    level_free_m_s: NonNegative  # horizontal speed that does not hold up the descent
    tilt_deg: tuple[tuple[float, float], ...]  # altitude (m), largest tilt: linear between, in rising altitude
    slew_rate_deg_s: Positive


class RedesignationParameters(Parameters):
    """When the target is changed in the terminal descent, by what hazard detection offers."""

    most: Annotated[int, Field(ge=0)]  # changes
    apart_s: NonNegative  # from one to the next
    lowest_m: Positive  # altitude: no change below
    tolerated_risk: Fraction  # of the target: no change while it is below
    better: Fraction  # a place is taken when its risk is below this share of the target's


class OtherSiteParameters(TargetChoice):
    """When the target is given up because it is out of reach, and how another site is chosen on the onboard map."""

    beyond_m: Positive  # along the ground to the target, in the terminal descent


class TouchdownParameters(Parameters):
    """Last metres, contact and cut-off."""

    altitude_m: Positive  # the constant slow descent begins here, plus
    altitude_sigmas: NonNegative  # times the 1-sigma of altitude
    highest_m: Positive  # but no higher than this
    sunk_m: Positive  # below the believed ground, beyond 3-sigma of altitude: the ground is further down, and from there ...
    sunk_speed_m_s: Positive  # ... the descent goes on faster, for what it costs
    contact_altitude_m: Positive  # a single switch is believed below this plus 3-sigma of altitude
    contact_speed_m_s: Positive  # and below this vertical speed
    reaction_m_s2: Positive  # specific force that thrust does not explain: the ground carries the lander
    reaction_steps: Annotated[int, Field(ge=1)]  # in a row
    still_weight_range: tuple[float, float]  # of the specific force along body z, times gravity
    still_rate_deg_s: Positive
    still_s: Positive


class BlindParameters(Parameters):
    """Without a navigation state."""

    turn_s: NonNegative  # the commanded attitude turns on for this long, then rests


class DoubtParameters(Parameters):
    """What is made of an altitude that may be less than believed."""

    below_m: Positive  # altitude by which it should be known
    free_m: Positive  # doubt that is let be
    free_share: Fraction  # of the altitude, that is let be as well
    most_m: Positive  # by which the ground is taken to be higher
    reserve_kg: NonNegative  # of propellant that the slow descent does not use
    fastest_m_s: Positive  # of the descent where the ground may be anywhere


class AbortParameters(Parameters):
    """Abort to a safe orbit."""

    perilune_m: Positive  # over the site, that is safe
    raised_m: Positive  # over the site, to which the perilune is raised by a lander that is higher
    height_m: Positive  # over the site, that the ascent keeps to
    lowest_m: Positive  # over the site, that it may come down to
    time_constant_s: Positive  # of the way to that height
    most_upwards: Fraction  # of the thrust that may go upwards
    level: Fraction  # of full thrust
    turn_s: Positive  # to turn by half a circle, engines off
    slew_rate_deg_s: Positive
    aligned_deg: Positive  # engines on when the thrust points within this
    judged_s: Positive  # how often it is looked at whether an abort is possible


class EstimatorParameters(Parameters):
    """Estimate of mass and thrust in flight."""

    gauge_time_constant_s: Positive
    gauge_outlier_kg: Positive  # larger deviations count as this much
    thrust_time_constant_s: Positive
    least_thrust_n: Positive  # nothing is learnt from less
    longest_step_s: Positive  # nor over longer steps
    settle_s: Positive  # after a change of engines
    ratio_range: tuple[float, float]
    outlier: Positive  # relative; larger deviations count as this much


class GuidanceParameters(Parameters):
    """All of guidance."""

    name: str
    deorbit: DeorbitParameters
    coast: CoastParameters
    braking: BrakingParameters
    pitch_up: PitchUpParameters
    terminal: TerminalParameters
    redesignation: RedesignationParameters
    other_site: OtherSiteParameters | None  # null: the lander goes as near to the target as it can (heritage logic)
    touchdown: TouchdownParameters
    blind: BlindParameters
    doubt: DoubtParameters | None  # null: altitude is believed as it is (heritage logic)
    abort: AbortParameters | None  # null: there is none
    estimator: EstimatorParameters
    reset_response: ResetResponseParameters | None  # of heritage logic only
