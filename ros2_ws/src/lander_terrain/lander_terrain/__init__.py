"""The Moon's surface, deterministic by seed: height and normal anywhere."""
