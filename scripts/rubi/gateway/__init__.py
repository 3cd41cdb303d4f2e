"""The gateway: what a MetaTrader 5 terminal knows, read in a loop and stored, nothing lost."""
