#!/usr/bin/env bash
# Make ROS 2 and the workspace known, then run the command: ./lander run, ros2 launch launch/descent.launch.yaml, ...
set -e
source /opt/ros/jazzy/setup.bash
source /frigoris/ros2_ws/install/setup.bash
exec "$@"
