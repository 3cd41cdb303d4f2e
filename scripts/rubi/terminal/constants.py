"""Numbers that the package MetaTrader5 5.0.6231 names, under its names, as far as they are used.

Each family counts from a number in the order that MQL5's reference lists; a test holds their
number. https://www.mql5.com/en/docs/integration/python_metatrader5
"""

# family to first number and names; a dash leaves a number out
_COUNTED = {
    "POSITION_TYPE": (0, "BUY SELL"),
    "ORDER_TYPE": (
        0, "BUY SELL BUY_LIMIT SELL_LIMIT BUY_STOP SELL_STOP BUY_STOP_LIMIT SELL_STOP_LIMIT"
        " CLOSE_BY",
    ),
    "ORDER_STATE": (
        0, "STARTED PLACED CANCELED PARTIAL FILLED REJECTED EXPIRED REQUEST_ADD REQUEST_MODIFY"
        " REQUEST_CANCEL",
    ),
    "ORDER_FILLING": (0, "FOK IOC RETURN BOC"),
    "ORDER_TIME": (0, "GTC DAY SPECIFIED SPECIFIED_DAY"),
    "ORDER_REASON": (0, "CLIENT MOBILE WEB EXPERT SL TP SO"),
    "DEAL_TYPE": (
        0, "BUY SELL BALANCE CREDIT CHARGE CORRECTION BONUS COMMISSION COMMISSION_DAILY"
        " COMMISSION_MONTHLY COMMISSION_AGENT_DAILY COMMISSION_AGENT_MONTHLY INTEREST BUY_CANCELED"
        " SELL_CANCELED",
    ),
    "DEAL_ENTRY": (0, "IN OUT INOUT OUT_BY"),
    "DEAL_REASON": (0, "CLIENT MOBILE WEB EXPERT SL TP SO ROLLOVER VMARGIN SPLIT"),
    "TRADE_ACTION": (1, "DEAL - - - PENDING SLTP MODIFY REMOVE - CLOSE_BY"),
    "SYMBOL_TRADE_MODE": (0, "DISABLED LONGONLY SHORTONLY CLOSEONLY FULL"),
    "SYMBOL_TRADE_EXECUTION": (0, "REQUEST INSTANT MARKET EXCHANGE"),
    "ACCOUNT_TRADE_MODE": (0, "DEMO CONTEST REAL"),
    "ACCOUNT_STOPOUT_MODE": (0, "PERCENT MONEY"),
    "ACCOUNT_MARGIN_MODE": (0, "RETAIL_NETTING EXCHANGE RETAIL_HEDGING"),
    "TRADE_RETCODE": (
        10004, "REQUOTE - REJECT CANCEL PLACED DONE DONE_PARTIAL ERROR TIMEOUT INVALID"
        " INVALID_VOLUME INVALID_PRICE INVALID_STOPS TRADE_DISABLED MARKET_CLOSED NO_MONEY"
        " PRICE_CHANGED PRICE_OFF INVALID_EXPIRATION ORDER_CHANGED TOO_MANY_REQUESTS NO_CHANGES"
        " SERVER_DISABLES_AT CLIENT_DISABLES_AT LOCKED FROZEN INVALID_FILL CONNECTION ONLY_REAL"
        " LIMIT_ORDERS LIMIT_VOLUME INVALID_ORDER POSITION_CLOSED - INVALID_CLOSE_VOLUME"
        " CLOSE_ORDER_EXIST LIMIT_POSITIONS REJECT_CANCEL LONG_ONLY SHORT_ONLY CLOSE_ONLY"
        " FIFO_CLOSE",
    ),
}  # fmt: skip

VALUES = {
    f"{family}_{name}": first + place
    for family, (first, names) in _COUNTED.items()
    for place, name in enumerate(names.split())
    if name != "-"
}
VALUES |= {
    "TICK_FLAG_BID": 2, "TICK_FLAG_ASK": 4, "TICK_FLAG_LAST": 8, "TICK_FLAG_VOLUME": 16,
    "TICK_FLAG_BUY": 32, "TICK_FLAG_SELL": 64,
    "RES_S_OK": 1, "RES_E_FAIL": -1, "RES_E_INVALID_PARAMS": -2, "RES_E_NO_MEMORY": -3,
    "RES_E_NOT_FOUND": -4, "RES_E_INVALID_VERSION": -5, "RES_E_AUTH_FAILED": -6,
    "RES_E_UNSUPPORTED": -7, "RES_E_AUTO_TRADING_DISABLED": -8, "RES_E_INTERNAL_FAIL": -10000,
    "RES_E_INTERNAL_FAIL_SEND": -10001, "RES_E_INTERNAL_FAIL_RECEIVE": -10002,
    "RES_E_INTERNAL_FAIL_INIT": -10003, "RES_E_INTERNAL_FAIL_CONNECT": -10004,
    "RES_E_INTERNAL_FAIL_TIMEOUT": -10005,
}  # fmt: skip
globals().update(VALUES)

# what last_error says beside its number
MESSAGES = {
    1: "Success", -1: "Terminal: Call failed", -2: "Terminal: Invalid params",
    -3: "Terminal: Out of memory", -4: "Terminal: Not found", -6: "Terminal: Authorization failed",
    -7: "Terminal: Unsupported function", -10000: "IPC call failed", -10001: "IPC send failed",
    -10002: "IPC recv failed", -10003: "IPC initialize failed", -10004: "No IPC connection",
    -10005: "IPC timeout",
}  # fmt: skip
