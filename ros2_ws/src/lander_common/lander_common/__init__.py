"""What truth and flight agree on: quaternions, frames, lunar constants, the mission description."""
