"""Words in the cells of a terminal's reports, and the codes they stand for: words.toml lists them.

Real reports have these words in English in every language of the terminal; translations are listed
where some terminal, or a spreadsheet's user, writes them. A word that is in no list is never
guessed: `--word 'achat=buy'` gives its meaning.
"""

import tomllib
import unicodedata
from pathlib import Path

LISTS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
# column of a report → English word → code
WORDS: dict[str, dict[str, int]] = LISTS["columns"]


def fold(text: str | None) -> str:
    """Small letters without accents, one blank between words."""
    parts = unicodedata.normalize("NFKD", text or "")
    # kana keep their sound marks (class 8), which change the word
    plain = "".join(sign for sign in parts if unicodedata.combining(sign) in (0, 8))
    return " ".join(unicodedata.normalize("NFC", plain).casefold().split())


# other languages → English
KNOWN = {
    fold(word): english
    for words in LISTS["languages"].values()
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
