#!/usr/bin/env python3
"""Writes calibration.json: calibration measures from their definitions, computed with mpmath in 60 digits.

    python3 calibration.py            writes the file
    python3 calibration.py --check    exits 1 if the file is not what would be written

`predictions` go from logits to scores and the best temperature, `confidences` from confidences to bins. Inputs are
multiples of 1/64 or short decimals; answers are rounded to binary64. Needs mpmath 1.3.0.
"""

import json
import sys
from pathlib import Path

from mpmath import findroot, inf, mp, mpf

from generate import splitmix

mp.dps = 60
FILE = Path(__file__).with_name("calibration.json")
BINS = [1, 2, 3, 4, 10, 15, 16]
# The inverses of the temperatures that the fit stays between.
LOW, HIGH = mpf(1) / 1024, mpf(1024)


def logits(unit, rows, classes, spread, right):
    """Logits in +-spread/2, and a target that is the largest for a share `right` of the rows."""
    table = [[round(64 * spread * (next(unit) - 0.5)) / 64 for _ in range(classes)] for _ in range(rows)]
    targets = []
    for row in table:
        largest = row.index(max(row))
        targets.append(largest if next(unit) < right else int(classes * next(unit)))
    return table, targets


def prediction_inputs():
    unit = splitmix(2)
    yield "over-confident", *logits(unit, 60, 10, 24, 0.7)
    yield "under-confident", *logits(unit, 60, 10, 1.5, 0.9)
    yield "two classes", *logits(unit, 40, 2, 6, 0.8)
    yield "saturated", *logits(unit, 30, 5, 1600, 0.8)
    table, targets = logits(unit, 25, 4, 10, 0.7)
    yield "far from zero", [[z + 1048576.0 for z in row] for row in table], targets
    table, targets = logits(unit, 25, 6, 10, 0.7)
    masked = [[z if c in (t, (t + 1) % 6) or c % 2 else "-inf" for c, z in enumerate(row)] for row, t in zip(table, targets)]
    yield "masked classes", masked, targets
    yield "all correct", *logits(unit, 12, 3, 8, 1.0)
    table, _ = logits(unit, 12, 3, 8, 1.0)
    yield "all wrong", table, [row.index(min(row)) for row in table]
    yield "one class", [[0.5], [-3.0]], [0, 0]
    yield "equal logits", [[1.0] * 4] * 3, [0, 1, 3]


def scores(name, table, targets):
    rows = [[mpf(z) for z in row] for row in table]
    count, softmax = len(rows), []
    for row in rows:
        top = max(row)
        weights = [mp.exp(z - top) for z in row]
        softmax.append([w / mp.fsum(weights) for w in weights])
    brier = mp.fsum((p - (c == y)) ** 2 for ps, y in zip(softmax, targets) for c, p in enumerate(ps)) / count
    inverse, at_bound = best_inverse(rows, targets)
    return {
        "name": name,
        "logits": table,
        "targets": targets,
        "nll": float(nll(rows, targets, mpf(1))),
        "brier": float(brier),
        "mean_confidence": float(mp.fsum(max(ps) for ps in softmax) / count),
        "accuracy": sum(row.index(max(row)) == y for row, y in zip(rows, targets)) / count,
        "temperature": float(1 / inverse),
        "nll_at_temperature": float(nll(rows, targets, inverse)),
        "at_bound": at_bound,
    }


def nll(rows, targets, inverse):
    def row_nll(row, y):
        return mp.log(mp.fsum(mp.exp(inverse * (z - row[y])) for z in row))

    return mp.fsum(row_nll(row, y) for row, y in zip(rows, targets)) / len(rows)


def slope(rows, targets, inverse):
    """The derivative of the mean negative log-likelihood by the inverse of the temperature."""
    total = mpf(0)
    for row, y in zip(rows, targets):
        finite = [z - row[y] for z in row if z != -inf]
        top = max(finite)
        weights = [mp.exp(inverse * (d - top)) for d in finite]
        total += mp.fsum(w * d for w, d in zip(weights, finite)) / mp.fsum(weights)
    return total / len(rows)


def best_inverse(rows, targets):
    f = lambda inverse: slope(rows, targets, inverse)
    if f(LOW) == 0 == f(HIGH):
        return mpf(1), False  # every temperature is as good
    if f(LOW) >= 0:
        return LOW, True
    if f(HIGH) <= 0:
        return HIGH, True
    return findroot(f, (LOW, HIGH), solver="anderson", tol=mpf(10) ** -50, maxsteps=2000), False


def confidence_inputs():
    unit = splitmix(3)
    draw = lambda count, digits: [round(next(unit), digits) for _ in range(count)]
    hits = lambda confidences, bias: [int(next(unit) < c + bias) for c in confidences]
    for name, confidences, bias in [
        ("spread out", draw(200, 6), -0.1),
        ("high", [round(0.9 + 0.1 * c, 6) for c in draw(150, 6)], -0.15),
        ("in the middle only", [round(0.4 + 0.2 * c, 6) for c in draw(50, 6)], 0.2),
        ("sixteenths, every edge", [k / 16 for k in range(17)] * 3, 0.0),
        ("nothing but ends", [0.0, 1.0, 1.0, 0.0, 1.0], 0.0),
        ("ties", [0.25] * 10 + [0.5] * 3 + [0.75] * 20, 0.1),
        ("fewer rows than bins", [0.625, 0.875, 0.9375], 0.0),
        ("one row", [0.8], 0.0),
    ]:
        yield name, confidences, hits(confidences, bias)


def edges(confidences, bins, equal_mass):
    if not equal_mass:
        return [mpf(k / bins) for k in range(1, bins)]
    ordered = sorted(mpf(c) for c in confidences)
    inner = []
    for k in range(1, bins):
        place, rest = divmod(k * (len(ordered) - 1), bins)
        step = ordered[min(place + 1, len(ordered) - 1)] - ordered[place]
        inner.append(ordered[place] + step * mpf(rest) / bins)
    return inner


def binned(confidences, correct, bins, equal_mass):
    members = [[] for _ in range(bins)]
    inner = edges(confidences, bins, equal_mass)
    for confidence, hit in zip(confidences, correct):
        members[sum(edge < confidence for edge in inner)].append((mpf(confidence), hit))
    gaps = [abs(mp.fsum(c - hit for c, hit in rows)) for rows in members]
    return {
        "bins": bins,
        "counts": [len(rows) for rows in members],
        "correct": [sum(hit for _, hit in rows) for rows in members],
        "ece": float(mp.fsum(gaps) / len(confidences)),
        "mce": float(max(gap / len(rows) for gap, rows in zip(gaps, members) if rows)),
    }


def main():
    predictions = [scores(*inputs) for inputs in prediction_inputs()]
    confidences = [
        {
            "name": name,
            "confidences": values,
            "correct": correct,
            "over_confidence": float(mp.fsum(mpf(c) - hit for c, hit in zip(values, correct)) / len(values)),
            "equal_width": [binned(values, correct, bins, False) for bins in BINS],
            "equal_mass": [binned(values, correct, bins, True) for bins in BINS],
        }
        for name, values, correct in confidence_inputs()
    ]
    text = json.dumps({"predictions": predictions, "confidences": confidences}, indent=None)
    # A case a line.
    text = text.replace('{"name"', '\n{"name"').replace('], "confidences": [\n', '],\n"confidences": [\n') + "\n"
    if sys.argv[1:] == ["--check"]:
        if FILE.read_text() != text:
            sys.exit(f"{FILE.name} is not what calibration.py writes")
    else:
        FILE.write_text(text)


if __name__ == "__main__":
    main()
