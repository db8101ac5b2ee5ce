#!/usr/bin/env python3
"""Writes exact.txt: loss and target's gradient of rows of the accuracy sweep, computed with mpmath in 120 digits.

    python3 exact.py            writes the file
    python3 exact.py --check    exits 1 if the file is not what would be written

The rows are made here a second time, from the description in conformance-tests/src/accuracy/row.rs. One line a row: element
type, classes, lead, offset, number of the row, smoothing rate, then the exact loss and the exact gradient at the target, each
as the binary64 nearest to it and the binary64 nearest to the rest. Needs mpmath 1.3.0.
"""

import struct
import sys
from pathlib import Path

from mpmath import mp, mpf

# The gradient of a confident row is what is left of a difference of ones, 36 digits down.
mp.dps = 120
FILE = Path(__file__).with_name("exact.txt")
# Offsets by element type: those that it resolves.
OFFSETS = {"f64": [0, 1000, 1000000], "f32": [0, 1000, 1000000], "f16": [0, 1000], "bf16": [0]}
LEADS = [0, 1, 4, 17, 40, 80]
MASK = 2**64 - 1


def splitmix(state):
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        x = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
        yield ((x ^ (x >> 31)) >> 11) / 2**53


def to_bf16(value):
    """To nearest, ties to even, from the exact value: binary32 would round twice."""
    if value == 0.0:
        return value
    _, exponent = mp.frexp(mpf(value))
    unit = 2.0 ** (int(exponent) - 8)
    return round(value / unit) * unit


def rounded(dtype, value):
    if dtype == "bf16":
        return to_bf16(value)
    code = {"f64": "d", "f32": "f", "f16": "e"}[dtype]
    return struct.unpack(code, struct.pack(code, value))[0]


def row(dtype, classes, lead, offset, number):
    """The logits, and the target's class."""
    unit = splitmix(classes << 40 ^ lead << 32 ^ offset << 8 ^ number)
    logits = [rounded(dtype, offset + 8.0 * (2.0 * next(unit) - 1.0)) for _ in range(classes)]
    target = int(next(unit) * classes)
    second = max(z for c, z in enumerate(logits) if c != target)
    logits[target] = rounded(dtype, second + float(lead))
    return logits, target


def answers(logits, target, epsilon):
    """The definition: -sum_c q_c log p_c, and p_y - q_y."""
    sum_of_exp = mp.fsum(mp.exp(mpf(z) - logits[target]) for z in logits)
    log_sum = mp.log(sum_of_exp)
    epsilon, classes = mpf(epsilon), len(logits)
    hard = log_sum
    uniform = mp.fsum(log_sum - (mpf(z) - logits[target]) for z in logits) / classes
    loss = (1 - epsilon) * hard + epsilon * uniform
    return loss, 1 / sum_of_exp - (1 - epsilon) - epsilon / classes


def parts(value):
    head = float(value)
    return f"{head!r} {float(value - mpf(head))!r}"


def places():
    """Every combination with few classes, and some with many."""
    for dtype, offsets in OFFSETS.items():
        for offset in offsets:
            for lead in LEADS:
                yield from ((dtype, 10, lead, offset, number) for number in (0, 63))
    for dtype in OFFSETS:
        yield from ((dtype, 1000, lead, 0, 5) for lead in (0, 4, 40))
    yield "f64", 1000, 17, 1000000, 31
    yield "f32", 32768, 17, 1000, 0
    yield "f64", 32768, 80, 0, 0


def main():
    lines = []
    for dtype, classes, lead, offset, number in places():
        logits, target = row(dtype, classes, lead, offset, number)
        for epsilon in (0.0, 0.1):
            loss, gradient = answers(logits, target, epsilon)
            place = f"{dtype} {classes} {lead} {offset} {number} {epsilon}"
            lines.append(f"{place} {parts(loss)} {parts(gradient)}\n")
    text = "".join(lines)
    if sys.argv[1:] == ["--check"]:
        if FILE.read_text() != text:
            sys.exit(f"{FILE.name} is not what its generator makes")
    else:
        FILE.write_text(text)


if __name__ == "__main__":
    main()
