"""Chromium for the report's pictures: named, the machine's own, or Debian's unpacked."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

from rubi.cli import Failure
from rubi.servers.debian import Closure, loader_and_libraries, patchelf

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome")
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
<dir>{target}/usr/share/fonts</dir>
<cachedir>{target}/var/cache/fontconfig</cachedir>
<include ignore_missing="yes">{target}/etc/fonts/conf.d</include>
</fontconfig>
"""
# Chromium starts itself again, so the environment carries the libraries, not the program's header:
# some of them have a search path of their own that would hide one there.
START = """#!/bin/sh
FONTCONFIG_FILE={target}/fonts.conf LD_LIBRARY_PATH={libraries} \\
    exec {target}/usr/lib/chromium/chromium-headless-shell "$@"
"""
# playwright's own Node.js needs it, and minimal systems lack it
LIBRARY = "libatomic.so.1"


class Chromium(Closure):
    def relocate(self, root: Path) -> None:
        """Make the unpacked program start with its own loader, libraries and fonts."""
        loader, libraries = loader_and_libraries(root, self.target)
        for name in ("chromium-headless-shell", "chrome_crashpad_handler"):
            if said := patchelf("--set-interpreter", loader, root / "usr/lib/chromium" / name):
                raise Failure(f"{name} can't be relocated: {said}")
        (root / "fonts.conf").write_text(FONTS.format(target=self.target), encoding="utf-8")
        start = root / "chromium"
        start.write_text(
            START.format(target=shlex.quote(str(self.target)), libraries=shlex.quote(libraries)),
            encoding="utf-8",
        )
        start.chmod(0o755)


CLOSURE = Chromium(
    "chromium",
    "Chromium",
    ("chromium-headless-shell", "fonts-dejavu-core"),
    instead="install chromium, or name its program with RUBI_CHROMIUM",
)


def found() -> Path | None:
    """The program that is named, installed or unpacked already; None without any."""
    if chosen := os.environ.get("RUBI_CHROMIUM"):
        if not os.access(chosen, os.X_OK):
            raise Failure(f"RUBI_CHROMIUM={chosen} is no program: unset or fix it")
        return Path(chosen)
    for name in NAMES:
        if installed := shutil.which(name):
            return Path(installed)
    return CLOSURE.target / "chromium" if CLOSURE.is_there() else None


def program() -> Path:
    """The program, fetched first where the machine has none. Raises Failure when it can't be."""
    return found() or CLOSURE.get() / "chromium"


class Alone(Closure):
    """One library in a folder of its own: libc beside it would not fit the machine's loader."""

    def relocate(self, root: Path) -> None:
        """Copy the library there."""
        (root / "alone").mkdir()
        shutil.copy(next(root.glob(f"usr/lib/*/{LIBRARY}")), root / "alone" / LIBRARY)


LIBATOMIC = Alone(
    "libatomic", LIBRARY, ("libatomic1",), instead="install the package libatomic1 yourself"
)


def make_driver_run(node: Path) -> None:
    """Make playwright's driver start, with a fetched library where the machine lacks it.

    Raises Failure when it can't be made to.
    """
    for _ in range(2):
        done = subprocess.run(
            [node, "--version"], capture_output=True, encoding="utf-8", errors="replace"
        )
        if done.returncode == 0:
            return
        if LIBRARY not in done.stderr:
            break
        folders = [str(LIBATOMIC.get() / "alone"), os.environ.get("LD_LIBRARY_PATH", "")]
        os.environ["LD_LIBRARY_PATH"] = ":".join(filter(None, folders))
    said = (done.stderr.strip() or "no reason given").splitlines()[0]
    raise Failure(f"playwright's Node.js does not start: {said}")


def playwright_node() -> Path:
    from playwright._impl._driver import compute_driver_executable

    return Path(compute_driver_executable()[0])
