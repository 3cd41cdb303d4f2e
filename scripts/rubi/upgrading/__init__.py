"""Moving into a server of another version: ahead of the stop, and what is left in it."""
