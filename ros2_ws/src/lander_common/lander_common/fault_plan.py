"""The faults of a scenario that the runtime applies, in the runtime's own terms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from lander_common.faults.base import Fault
from lander_common.faults.process import TOPIC_KINDS, Hang, Kill, Restart, Slow
from lander_common.mission import Mission
from lander_runtime.architecture import architecture
from lander_runtime.faults import FaultPlan, Outage, TopicFault, TopicKind
from lander_runtime.messages import NANOSECONDS


def fault_plan(mission: Mission) -> FaultPlan:
    """What the scenario does to nodes and topics."""
    faults = list(enumerate(mission.scenario.faults))
    return FaultPlan(
        outages=tuple(outage for _, fault in faults if (outage := _outage(fault))),
        topics=tuple(found for index, fault in faults for found in _topic_faults(index, fault, mission.seed)),
    )


def _outage(fault: Fault) -> Outage | None:
    match fault:
        case Kill():
            return Outage(fault.subject, fault.at_ns, None, True, "killed by the scenario")
        case Restart():
            back_ns = fault.at_ns + _ns(fault.down_s)
            return Outage(fault.subject, fault.at_ns, back_ns, True, "restarted by the scenario")
        case Hang():
            return Outage(fault.subject, fault.at_ns, _end_ns(fault), False, "hangs by the scenario")
    return None


def _topic_faults(index: int, fault: Fault, seed: int) -> Iterator[TopicFault]:
    if isinstance(fault, Slow):  # all that a slow node says comes late
        keys, kind = [topic.key for topic in architecture().nodes[fault.subject].outputs], "delay"
    elif isinstance(fault, TOPIC_KINDS):
        keys, kind = [fault.subject], fault.kind
    else:
        return
    for key in keys:
        yield TopicFault(
            key=key,
            kind=cast(TopicKind, kind),
            from_ns=fault.at_ns,
            until_ns=_end_ns(fault),
            seed=seed,
            stream=f"fault/{index}/{fault.subject}/{fault.kind}",
            probability=getattr(fault, "probability", 1.0),
            delay_ns=_ns(getattr(fault, "delay_s", 0.0)),
        )


def _end_ns(fault: Fault) -> int | None:
    duration_s: float | None = getattr(fault, "duration_s", None)
    return None if duration_s is None else fault.at_ns + _ns(duration_s)


def _ns(seconds: float) -> int:
    return round(seconds * NANOSECONDS)
