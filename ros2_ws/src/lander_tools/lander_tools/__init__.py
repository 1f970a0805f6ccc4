"""Launch runner, recorder, replay, report, command line."""
