"""Device models that turn truth into measurements, with their nodes."""
