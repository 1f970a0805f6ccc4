"""Any set of faults at once: the software never raises, never commands what is not a number, and ends with a verdict."""

from __future__ import annotations

import os
from typing import Any, get_args

import numpy as np
import pytest
from fault_samples import with_faults
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from lander_common.faults.base import DeviceFault, Fault
from lander_common.faults.catalogue import DEVICE_KINDS
from lander_common.mission import resolve
from lander_runtime.messages import Message
from lander_runtime.subsystem import Tick
from lander_tools.in_process import InProcessFlight

EXAMPLES = int(os.environ.get("FRIGORIS_FAULT_SETS", "3"))  # a longer search is done by hand
WHOLE = bool(
    os.environ.get("FRIGORIS_WHOLE_FLIGHTS")
)  # to the verdict of the judge; else a short flight near the ground
OUTCOMES = ("success", "survivable", "lost", "aborted_safe")
ABSENT = ("camera", "map")  # subjects that the nominal scenario has not, or that change its map
SHORT_S = 60.0


def values(name: str, field: FieldInfo) -> st.SearchStrategy[Any]:
    """Values that a parameter of a fault may have."""
    options = [option for option in get_args(field.annotation) if isinstance(option, str)]
    if options:
        return st.sampled_from(options)
    if name == "thruster":
        return st.sampled_from(["main", "assist", "rcs", "assist_1", "assist_4", "rcs_3"])
    bounds = {key: getattr(one, key) for one in field.metadata for key in ("ge", "gt", "le", "lt") if hasattr(one, key)}
    low, high = bounds.get("ge", bounds.get("gt", -200.0)), bounds.get("le", bounds.get("lt", 200.0))
    number = st.floats(low + 1e-3, high - 1e-3)
    return st.lists(number, min_size=3, max_size=3) if field.annotation not in (float, float | None) else number


def entry(model: type[Fault], last_s: float) -> st.SearchStrategy[dict[str, Any]]:
    """Entries of a scenario for a kind of fault that begins before a time."""
    timing = ("at_s", "below_m", "duration_s")
    own = {name: values(name, field) for name, field in model.model_fields.items() if name not in timing}
    if not issubclass(model, DeviceFault):
        return st.fixed_dictionaries(own)
    return st.fixed_dictionaries(own | {"at_s": st.floats(0.0, last_s), "duration_s": st.floats(0.1, last_s)})


def fault_sets(last_s: float) -> st.SearchStrategy[list[dict[str, Any]]]:
    """One to six faults of any kinds."""
    kinds = [model for model in DEVICE_KINDS if model.of_subject() not in ABSENT]
    return st.lists(st.sampled_from(kinds).flatmap(lambda model: entry(model, last_s)), min_size=1, max_size=6)


class Watch:
    """Looks at every number of what flight software commands."""

    def __init__(self) -> None:
        self.throttle_commands = 0

    def __call__(self, tick: Tick, key: str, message: Message, _data: bytes) -> None:
        if key == "throttle_command":
            self.throttle_commands += 1
            commanded = [*message.assist_on_s, *message.rcs_on_s, message.thrust_n, *message.torque_command_body]
            assert np.isfinite([value for value in commanded if value != np.inf]).all(), f"{message} at {tick.time_s} s"
            assert not np.isneginf(commanded).any()
        elif key == "guidance_command":
            commanded = [*message.q_mci_body_command, *message.w_mci_body_command, message.thrust_n]
            assert np.isfinite(commanded).all(), f"{message} at {tick.time_s} s"


LAST_S = 800.0 if WHOLE else SHORT_S


@pytest.mark.timeout(300 + 120 * EXAMPLES if WHOLE else 300)
@settings(
    max_examples=EXAMPLES,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],  # a flight is too long to be shrunk
)
@given(faults=fault_sets(LAST_S), seed=st.integers(1, 1000))
def test_any_set_of_faults_ends_in_a_verdict_and_never_in_an_error(faults: list[dict[str, Any]], seed: int) -> None:
    nominal = resolve("nominal", seed, settings={} if WHOLE else {"start.time_limit_s": str(SHORT_S)})
    watch = Watch()
    flight = InProcessFlight(with_faults(nominal, *faults), [watch])
    while not flight.finished:
        flight.step()
    assert watch.throttle_commands > 100
    result = flight.outcome().result
    assert result is not None
    assert result.outcome in OUTCOMES
    assert result.reason
