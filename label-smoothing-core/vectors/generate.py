#!/usr/bin/env python3
"""Writes functions.txt: exp, log and log1p to 106 bits, computed with mpmath in 60 digits.

    python3 generate.py            writes the file
    python3 generate.py --check    exits 1 if the file is not what would be written

One line a value: the function, its argument, the value rounded to binary64, and what that rounding left, rounded again;
all as C99 hexadecimal floats. Needs mpmath 1.3.0.
"""

import sys
from pathlib import Path

from mpmath import mp, mpf

mp.dps = 60
FILE = Path(__file__).with_name("functions.txt")
FUNCTIONS = {"exp": mp.exp, "log": mp.log, "log1p": mp.log1p}


def splitmix(state):
    """A small integer generator, so that the file is the same everywhere."""
    while True:
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        x = state
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
        yield ((x ^ (x >> 31)) >> 11) / 2**53


def arguments():
    """Where the functions are used, and where their methods change."""
    unit = splitmix(1)
    draw = lambda low, high: low + (high - low) * next(unit)
    for _ in range(400):
        yield "exp", -draw(0, 1)
        yield "exp", -draw(0, 708)
        yield "exp", -(2.0 ** draw(-60, 9))
        yield "log1p", 2.0 ** draw(-80, 0)
        yield "log1p", draw(0, 2)
        yield "log1p", 2.0 ** draw(0, 31)
        yield "log", 2.0 ** draw(-60, 0)
        yield "log", draw(0.5, 1)
    for edge in (0.0, 2.0**0.5 - 1, 1.0, 2.0, 3.0, 1023.0, 2.0**31):
        for step in (-2, -1, 0, 1, 2):
            yield "log1p", max(0.0, edge * (1 + step * 2.0**-52))
    for n in range(1, 60):
        yield "exp", -float((n - mpf(1) / 2) * mp.log(2))


def line(function, argument):
    """One line of the file."""
    exact = FUNCTIONS[function](mpf(argument))
    value = float(exact)
    rest = float(exact - mpf(value))
    return f"{function} {argument.hex()} {value.hex()} {rest.hex()}\n"


def main():
    text = "".join(line(*pair) for pair in arguments())
    if sys.argv[1:] == ["--check"]:
        if FILE.read_text() != text:
            sys.exit(f"{FILE.name} is not what generate.py writes")
    else:
        FILE.write_text(text)


if __name__ == "__main__":
    main()
