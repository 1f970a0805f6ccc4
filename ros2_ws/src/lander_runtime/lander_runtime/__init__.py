"""How subsystems run: ports, ticks, transports, digest, run folder. Knows no lander."""
