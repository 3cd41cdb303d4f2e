"""A stand-in for the package MetaTrader5 and the terminal behind it, for tests and the demo.

The package exists for Windows only and needs a terminal with an account. The stand-in has its
functions, constants and structures (5.0.6231) and keeps the books of an account as MetaQuotes'
pages describe them: hedging and netting, partial fills, turned positions, close-by, stops, stop
out, pending orders, cancelled deals, archived history. A script makes what goes wrong: lost
connections, a terminal without its server, late, doubled or shuffled history, another login in the
middle, a clock that changes.

What the stand-in can't do: it is a copy of what was read about MT5, not MT5. Margin is one formula
without rates or hedging of a symbol's positions; profit needs the rate of another currency given;
an exchange's depth of market, its own order states, FIFO accounts, and corporate actions are
missing; swaps come when a script says so; history of orders is selected by the time they were done.
"""
