"""The demo's server and what fills it."""
