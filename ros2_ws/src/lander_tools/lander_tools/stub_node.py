"""A node of the architecture without its work: `python -m lander_tools.stub_node NAME TICKS`, for the benchmark."""

from __future__ import annotations

import sys

from lander_common.hosting import leave_record
from lander_runtime.architecture import architecture
from lander_runtime.ros_conductor import ConductorHost
from lander_runtime.ros_host import Blueprint, RunOptions, run_host
from lander_runtime.ros_member import MemberHost
from lander_runtime.stubs import Stub, StubOwner


def main() -> int:
    """Run the stub of a node until the stub of physics has made so many ticks."""
    name, ticks = sys.argv[1], int(sys.argv[2])
    owner = name == "physics"

    def build(_options: RunOptions) -> Stub | StubOwner:
        return StubOwner(name, ticks) if owner else Stub(name)

    plan = Blueprint(name, build, members=lambda _: list(architecture().nodes), parameters=lambda _: {})
    return run_host(ConductorHost if owner else MemberHost, plan, leave_record if owner else None)


if __name__ == "__main__":
    sys.exit(main())
