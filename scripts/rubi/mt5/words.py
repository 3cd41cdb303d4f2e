"""Words in the cells of a terminal's reports, and the codes they stand for.

Real reports have these words in English in every language of the terminal; translations are listed
where some terminal, or a spreadsheet's user, writes them. A word that is in no list is never
guessed: `--word 'achat=buy'` gives its meaning. Keys are folded: small letters, no accents.
"""

import unicodedata

# column of a report → English word → code
WORDS: dict[str, dict[str, int]] = {
    "type of an order": {
        "buy": 0, "sell": 1, "buy limit": 2, "sell limit": 3, "buy stop": 4, "sell stop": 5,
        "buy stop limit": 6, "sell stop limit": 7, "close by": 8,
    },
    "state": {
        "started": 0, "placed": 1, "canceled": 2, "cancelled": 2, "partial": 3,
        "partially filled": 3, "filled": 4, "rejected": 5, "expired": 6, "request adding": 7,
        "request modifying": 8, "request cancelling": 9,
    },
    "type of a deal": {
        "buy": 0, "sell": 1, "balance": 2, "credit": 3, "charge": 4, "correction": 5, "bonus": 6,
        "commission": 7, "daily commission": 8, "monthly commission": 9,
        "daily agent commission": 10, "agent daily": 10, "monthly agent commission": 11,
        "agent monthly": 11, "interest": 12, "buy canceled": 13, "canceled buy": 13,
        "sell canceled": 14, "canceled sell": 14, "dividend": 15, "franked dividend": 16,
        "dividend franked": 16, "tax": 17, "agent": 18, "so compensation": 19,
        "so compensation credit": 20,
    },
    "direction": {"in": 0, "out": 1, "in/out": 2, "inout": 2, "out by": 3},
    "side of a position": {"buy": 0, "sell": 1},
    "kind of account": {"demo": 0, "contest": 1, "real": 2},
    "way of positions": {"netting": 0, "exchange": 1, "hedge": 2, "hedging": 2},
}  # fmt: skip

# other languages → English, in any column
TRANSLATIONS: dict[str, dict[str, str]] = {
    "French": {
        "achat": "buy", "vente": "sell", "solde": "balance", "interet": "interest",
        "dividende": "dividend", "taxe": "tax", "achat annule": "buy canceled",
        "vente annulee": "sell canceled", "entree": "in", "sortie": "out",
        "entree/sortie": "in/out", "sortie par": "out by", "place": "placed",
        "annule": "canceled", "partiel": "partial", "execute": "filled", "rempli": "filled",
        "rejete": "rejected", "expire": "expired", "reel": "real", "concours": "contest",
    },
    "German": {
        "kauf": "buy", "kaufen": "buy", "verkauf": "sell", "verkaufen": "sell",
        "kontostand": "balance", "saldo": "balance", "ausgefuhrt": "filled",
        "storniert": "canceled", "abgelehnt": "rejected", "abgelaufen": "expired",
    },
    "Spanish": {
        "compra": "buy", "venta": "sell", "entrada": "in", "salida": "out",
        "cancelado": "canceled", "cancelada": "canceled", "ejecutada": "filled",
        "rechazada": "rejected", "expirada": "expired", "concurso": "contest",
    },
    "Portuguese": {
        "venda": "sell", "saida": "out", "executada": "filled", "rejeitada": "rejected",
    },
    "Italian": {
        "acquisto": "buy", "vendita": "sell", "entrata": "in", "uscita": "out",
        "eseguito": "filled", "annullato": "canceled", "rifiutato": "rejected",
        "scaduto": "expired", "reale": "real",
    },
    "Bulgarian": {
        "купува": "buy", "покупка": "buy", "продава": "sell", "продажба": "sell",
        "баланс": "balance", "вход": "in", "изход": "out", "изпълнена": "filled",
        "отменена": "canceled", "реална": "real", "демо": "demo",
    },
    "Russian": {
        "продажа": "sell", "выход": "out", "исполнен": "filled", "отменен": "canceled",
        "отклонен": "rejected", "истек": "expired", "реальныи": "real", "конкурс": "contest",
    },
    "Japanese": {
        "買い": "buy", "売り": "sell", "残高": "balance", "約定済み": "filled",
        "キャンセル": "canceled", "デモ": "demo", "リアル": "real",
    },
    "Chinese": {
        "买入": "buy", "卖出": "sell", "余额": "balance", "已成交": "filled", "已取消": "canceled",
    },
}  # fmt: skip


def fold(text: str | None) -> str:
    """Small letters without accents, one blank between words."""
    parts = unicodedata.normalize("NFKD", text or "")
    # kana keep their sound marks (class 8), which change the word
    plain = "".join(sign for sign in parts if unicodedata.combining(sign) in (0, 8))
    return " ".join(unicodedata.normalize("NFC", plain).casefold().split())


KNOWN = {
    fold(word): english
    for words in TRANSLATIONS.values()
    for word, english in words.items()
}  # fmt: skip


class Unknown(Exception):
    def __init__(self, word: str, column: str) -> None:
        super().__init__(word)
        self.word, self.column = word, column


class Words:
    """The meaning of words: the lists of this file, with the command line's additions."""

    def __init__(self, given: list[str] | None = None) -> None:
        """Raises ValueError for a text that isn't `word=English word`."""
        self.given: dict[str, str] = {}
        english = {word for column in WORDS.values() for word in column}
        for text in given or []:
            word, _, meaning = text.partition("=")
            if not fold(word) or fold(meaning) not in english:
                raise ValueError(f"{text}: a word, = and one of {', '.join(sorted(english))}")
            self.given[fold(word)] = fold(meaning)

    def code(self, text: str | None, column: str) -> int:
        """The code of a word of a column. Raises Unknown."""
        word = fold(text)
        for meaning in (self.given.get(word), word, KNOWN.get(word)):
            if meaning is not None and meaning in WORDS[column]:
                return WORDS[column][meaning]
        raise Unknown(text or "", column)
