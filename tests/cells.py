"""Reads `cells.txt`, the table of hostile cells."""

import re
from dataclasses import dataclass
from pathlib import Path

PREAMBLE = """
import concurrent.futures, gc, logging, os, queue, random, signal, subprocess, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from threading import Lock, Thread
from time import sleep
"""


@dataclass(frozen=True)
class Cell:
    """What comes of it, for each verb that can run it; `...` stands for any text."""

    name: str
    source: str
    simulated: str
    recorded: str | None
    log: tuple[str, ...] | None = None
    left: int = 0
    unlimited: bool = False

    def scenario(self):
        """As in a fresh notebook."""
        names = {"__name__": "cell"}
        exec(PREAMBLE, names)
        exec(compile(self.source, "<cell>", "exec"), names)
        return names["scenario"]


def matches(expected, told):
    return re.fullmatch(".*".join(map(re.escape, expected.split("..."))), told, re.DOTALL) is not None


def _parse(text):
    name, _, body = text.partition("\n")
    lines = body.rstrip().split("\n")
    told = [line.removeprefix("=> ") for line in lines if line.startswith("=> ")]
    source = "\n".join(line for line in lines if not line.startswith("=> "))
    options = dict.fromkeys(("recorded", "left", "unlimited"))
    log = tuple(line.removeprefix("log:").strip() for line in told[1:] if line.startswith("log:"))
    for line in told[1:]:
        key, _, value = line.partition(":")
        if key != "log":
            assert key in options and options[key] is None, line
            options[key] = value.strip()
    recorded = (
        told[0].replace("simulate raises", "record raises") if options["recorded"] is None else options["recorded"]
    )
    recorded = None if recorded.startswith("not: ") else recorded
    left = int(options["left"] or 0)
    return Cell(name, source, told[0], recorded, log or None, left, options["unlimited"] == "yes")


CELLS = [_parse(part) for part in (Path(__file__).parent / "cells.txt").read_text(encoding="utf-8").split("\n## ")[2:]]
