"""`./lander history`: the landings of history, flown again with both flight logics, and what came of it."""
