"""Faults as data: what a scenario may do to a run. The models are here; the behaviour is where each fault arises."""
