"""The trading report: figures, plots, words."""
