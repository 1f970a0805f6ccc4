"""What holds for every test."""

from hypothesis import HealthCheck, settings

# A busy machine, or a first call that compiles, is no failure.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
