"""Effects, one for each function, thin: what the flows put in order."""
