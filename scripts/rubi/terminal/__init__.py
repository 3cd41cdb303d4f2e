"""A stand-in for the package MetaTrader5 and the terminal behind it, for the demo and tests.

The package exists for Windows only and needs a terminal with an account. The stand-in has its
constants and structures (5.0.6231) and the functions that the gateway and a worker call, and keeps
the books of an account as MetaQuotes' pages describe them: hedging and netting, market orders,
turned positions, stops, stop out. The tests' helpers (full_brokers.py, faulty_terminals.py) add
waiting orders, parts of fills, close-by, bars, ticks, other logins, and all that goes wrong.

What the stand-in can't do: it is a copy of what was read about MT5, not MT5. Margin is one formula
without rates or hedging of a symbol's positions; profits are in the account's currency;
an exchange's depth of market, its own order states, FIFO accounts, and corporate actions are
missing; swaps come when a script says so; history of orders is selected by the time they were done.
"""
