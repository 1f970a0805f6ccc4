"""What the flight software found wrong, and how long that took: for verdict.json, from a bag or as a flight goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict

from lander_runtime.architecture import architecture
from lander_runtime.messages import stamp_ns
from lander_tools.bag import Bag
from lander_tools.columns import gather
from lander_tools.verdict import Detection, Found

_HEALTH, _EVENTS, _COMMAND = "health_status", "events", "guidance_command"


class Onset(BaseModel):
    """A fault of the scenario that has begun."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int  # in the order of the scenario
    subject: str
    time_s: float


@dataclass
class DetectionLog:
    """Keeps the first finding of each row of the table of faults, and when faults were injected."""

    onsets: list[Onset] = field(default_factory=list)
    findings: dict[str, tuple[float, str]] = field(default_factory=dict)  # row: time, s, and response
    redesignations: int = 0

    def observe(self, _tick: object, key: str, message: Any, _data: bytes = b"") -> None:
        """Take in a message of a flight (an `Observer` of the in-process run)."""
        if key == _HEALTH:
            for name, response in zip(message.detections, message.responses, strict=True):
                self.findings.setdefault(name, (stamp_ns(message) * 1e-9, response))
        elif key == _EVENTS and message.kind == "fault_on":
            time_s = stamp_ns(message) * 1e-9
            self.onsets.append(Onset(number=round(message.value), subject=message.subject, time_s=time_s))
        elif key == _COMMAND:
            self.redesignations = int(message.redesignations)

    def found(self) -> Found:
        """For the verdict."""
        return Found(self.detections(), self.redesignations)

    def detections(self) -> tuple[Detection, ...]:
        """Latency counts from the latest fault that had begun by then, and is null without one."""
        return tuple(
            Detection(fault=name, time_s=time_s, latency_s=self._latency_s(time_s), response=response)
            for name, (time_s, response) in self.findings.items()
        )

    def _latency_s(self, time_s: float) -> float | None:
        begun = [onset.time_s for onset in self.onsets if onset.time_s <= time_s]
        return time_s - max(begun) if begun else None


def recorded(bag: Bag) -> Found:
    """What was found in a recorded flight. Raises BagError."""
    names = {key: architecture().topics[key].name for key in (_EVENTS, _HEALTH, _COMMAND)}
    messages, log = gather(bag, names.values()), DetectionLog()
    for data in messages[names[_EVENTS]]:
        log.observe(None, _EVENTS, bag.decode(names[_EVENTS], data))
    for data in _telling(messages[names[_HEALTH]]):
        log.observe(None, _HEALTH, bag.decode(names[_HEALTH], data))
    for data in messages[names[_COMMAND]][-1:]:
        log.observe(None, _COMMAND, bag.decode(names[_COMMAND], data))
    return log.found()


def _telling(messages: list[bytes]) -> Iterator[bytes]:
    """Health messages that are longer than the shortest one: they list detections."""
    shortest = min(map(len, messages), default=0)
    return (data for data in messages if len(data) > shortest)
