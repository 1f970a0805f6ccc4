"""`./lander campaign`: fly scenarios with many seeds, keep what came of them, and say how often and how soon."""
