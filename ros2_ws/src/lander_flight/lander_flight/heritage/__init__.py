"""What historical flight software did differently, as strategies that the configuration swaps in.

None of it is the historical code, which is not public. Each docstring says what is known of it and what is assumed.
"""
