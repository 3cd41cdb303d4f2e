"""Commands in messages can be typed."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

import pytest

from conftest import ROOT

SCRIPTS = sorted((ROOT / "scripts").rglob("*.py"))
SPEAKING = {"Failure", "print", "BadParameter"}


def said(path: Path) -> list[str]:
    """The texts of a script's messages; what is filled in stands as {}."""
    texts = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            texts += [text_of(argument) for argument in node.args if name in SPEAKING]
    return texts


def text_of(node: ast.expr) -> str:
    """A string of the source."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else "{}"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script_that_a_message_names_can_be_run(path: Path) -> None:
    for text in said(path):
        for before, name in re.findall(r"(\S* ?)(scripts/[\w/]+\.(?:py|sh))", text):
            if name.endswith(".py"):
                assert before.endswith("python "), text
            else:
                assert os.access(ROOT / name, os.X_OK), text
