"""The truth: rigid body, gravity, thrusters, tanks, contact; the physics node."""
