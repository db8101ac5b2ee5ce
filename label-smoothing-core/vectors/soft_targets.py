#!/usr/bin/env python3
"""Writes soft-targets.json: the builders of soft targets and the losses on pairs, from their formulas in 60 digits.

    python3 soft_targets.py            writes the file
    python3 soft_targets.py --check    exits 1 if the file is not what would be written

One case a line: the builder's name, what it is given, and the rows that it gives. Every number is a string that reads as
one binary64 and no other; results are rounded once. Needs mpmath 1.3.0.
"""

import json
import sys
from pathlib import Path

from mpmath import mp, mpf

mp.dps = 400  # Tails down to the smallest binary64 keep 60 and more of them.
FILE = Path(__file__).with_name("soft-targets.json")


def normalised(masses):
    total = sum(masses)
    return [mass / total for mass in masses]


def softmax(scores):
    return normalised([mp.exp(score) if score is not None else mpf(0) for score in scores])


def from_similarities(matrix, temperature, excluded):
    return [
        softmax([None if excluded and y == c else mpf(value) / mpf(temperature) for c, value in enumerate(row)])
        for y, row in enumerate(matrix)
    ]


def from_distances(matrix, temperature, excluded):
    return from_similarities([[-value for value in row] for row in matrix], temperature, excluded)


def sord(classes, alpha, power):
    return [softmax([-mpf(alpha) * abs(y - c) ** power for c in range(classes)]) for y in range(classes)]


def exponential(classes, power, tau):
    return [softmax([-(mpf(abs(y - c)) ** mpf(power)) / mpf(tau) for c in range(classes)]) for y in range(classes)]


def binomial(classes):
    last = classes - 1

    def mass(y, c):
        p = mpf(1) / 10 + mpf(8) * y / (10 * last)
        return mp.binomial(last, c) * p**c * (1 - p) ** (last - c)

    return [[mass(y, c) for c in range(classes)] for y in range(classes)]


def poisson(classes):
    return [
        softmax([mpf(y + 1) ** c * mp.exp(-(y + 1)) / mp.factorial(c) for c in range(classes)]) for y in range(classes)
    ]


def triangular(classes, adjacent):
    """By the areas of the triangles, not by their closed form."""
    s = mp.sqrt(2 * mpf(adjacent))
    half = mpf(1) / (2 * classes)

    def root(shrunk):
        u = shrunk**2 * s * (1 - s) * (1 - s**2)
        return (mp.sqrt(1 + 4 * u) - 1) / 2

    def area(low, mode, high, x):
        """The distribution function of the triangular density."""
        if x <= low:
            return mpf(0)
        if x >= high:
            return mpf(1)
        if x < mode:
            return (x - low) ** 2 / ((high - low) * (mode - low))
        return 1 - (high - x) ** 2 / ((high - low) * (high - mode))

    rows = []
    for y in range(classes):
        middle = (2 * y + 1) * half
        ends = (middle - half / (1 - s), middle, middle + half / (1 - s))
        if y == 0:
            ends = (mpf(0), mpf(0), 1 / (classes * (1 - root(mpf(1)))))
        elif y == classes - 1:
            ends = (1 - 1 / (classes * (1 - root(mpf(classes - 1) / classes))), mpf(1), mpf(1))
        edges = [mpf(c) / classes for c in range(classes + 1)]
        masses = [area(*ends, high) - area(*ends, low) for low, high in zip(edges, edges[1:])]
        rows.append([mass if mass > mpf(10) ** -50 else mpf(0) for mass in masses])  # What is left of 1 - 1 is 0.
    return rows


def prior_from_counts(counts, floor):
    total = sum(map(mpf, counts))
    return [[mpf(floor) + (1 - len(counts) * mpf(floor)) * mpf(count) / total for count in counts]]


def zipf_by_rank(ranks, exponent, offset):
    return [normalised([(mpf(rank) + mpf(offset)) ** -mpf(exponent) for rank in ranks])]


def symlog(value):
    return mp.sign(value) * mp.log(1 + abs(mpf(value)))


def symexp(value):
    return mp.sign(value) * (mp.exp(abs(mpf(value))) - 1)


def measured(value, scale):
    return symlog(value) if scale == "symlog" else mpf(value)


def two_hot(centres, scale, values):
    rows = []
    for value in values:
        y, row = measured(value, scale), [mpf(0)] * len(centres)
        for at in range(len(centres) - 1):
            low, high = mpf(centres[at]), mpf(centres[at + 1])
            if low <= y <= high:
                row = [mpf(0)] * len(centres)
                row[at], row[at + 1] = (high - y) / (high - low), (y - low) / (high - low)
        rows.append(row)
    return rows


def hl_gauss(edges, scale, sigma_in_bins, values):
    sigma = mpf(sigma_in_bins) * (mpf(edges[-1]) - mpf(edges[0])) / (len(edges) - 1)
    rows = []
    for value in values:
        y = measured(value, scale)
        below = [mp.erfc((y - mpf(edge)) / (sigma * mp.sqrt(2))) / 2 for edge in edges]
        rows.append(normalised([high - low for low, high in zip(below, below[1:])]))
    return rows


def expected_value(centres, scale, probabilities):
    value = sum(mpf(p) * mpf(centre) for p, centre in zip(probabilities, centres))
    return [[symexp(value) if scale == "symlog" else value]]


def neighbour_labels(labels, offsets, weights, classes):
    rows = []
    for t in range(len(labels)):
        row, total = [mpf(0)] * classes, mpf(0)
        for offset, weight in [(0, 1.0), *zip(offsets, weights)]:
            if 0 <= t + offset < len(labels):
                row[labels[t + offset]] += mpf(weight)
                total += mpf(weight)
        rows.append([mass / total for mass in row])
    return rows


def preference(kind, beta, epsilon, pairs):
    """For each pair: loss, rewards of the chosen and the rejected, and the loss's derivative by each policy term."""
    e, b, rows = mpf(epsilon), mpf(beta), []
    for policy_chosen, policy_rejected, reference_chosen, reference_rejected in pairs:
        rewards = [b * (mpf(policy_chosen) - mpf(reference_chosen)), b * (mpf(policy_rejected) - mpf(reference_rejected))]
        z = rewards[0] - rewards[1]
        clean, flipped = mp.log(1 + mp.exp(-z)), mp.log(1 + mp.exp(z))
        slopes = -1 / (1 + mp.exp(z)), 1 / (1 + mp.exp(-z))
        if kind == "conservative":
            loss, slope = [(1 - e) * one + e * other for one, other in ((clean, flipped), slopes)]
        else:
            loss, slope = [((1 - e) * one - e * other) / (1 - 2 * e) for one, other in ((clean, flipped), slopes)]
        rows.append([loss, *rewards, b * slope, -b * slope])
    return rows


SIMILARITIES = [[1.0, 0.75, 0.125, -0.5], [0.75, 1.0, 0.25, 0.0], [0.125, 0.25, 1.0, 0.875], [-0.5, 0.1, 0.875, 1.0]]
DISTANCES = [[0.0, 1.0, 3.5], [1.0, 0.0, 2.0], [4.0, 2.0, 0.0]]
EDGES = [-3.0, -1.0, -0.5, 0.25, 2.0]
CENTRES = [-4.0, -1.5, 0.0, 0.5, 10.0]
EVEN = [-2.0, -1.0, 0.0, 1.0, 2.0]
PAIRS = [
    [-10.0, -12.5, -10.5, -11.0],
    [-3.25, -2.0, -3.0, -2.75],
    [-100.0, -20.0, -90.0, -95.0],
    [-20.0, -700.0, -300.0, -40.0],
    [-1.0, -1.0, -1.0, -1.0],
]

CASES = [
    *((from_similarities, {"matrix": SIMILARITIES, "temperature": t, "excluded": x}) for t in (0.05, 0.5, 8.0) for x in (False, True)),
    *((from_distances, {"matrix": DISTANCES, "temperature": t, "excluded": x}) for t in (0.25, 2.0) for x in (False, True)),
    *((sord, {"classes": k, "alpha": a, "power": p}) for k, a in ((2, 1.0), (5, 1.5), (9, 0.1), (30, 2.0)) for p in (1, 2)),
    *((exponential, {"classes": k, "power": p, "tau": t}) for k, p, t in ((2, 1.0, 1.0), (5, 1.5, 1.0), (8, 0.5, 3.0), (20, 3.0, 0.7))),
    *((binomial, {"classes": k}) for k in (2, 3, 5, 10, 40)),
    *((poisson, {"classes": k}) for k in (2, 3, 5, 10, 40)),
    *((triangular, {"classes": k, "adjacent": a}) for k in (2, 3, 5, 10) for a in (0.0, 0.01, 0.1, 0.2)),
    *((prior_from_counts, {"counts": c, "floor": f}) for c in ([30.0, 10.0, 0.0], [1.0, 2.5, 1e6, 0.25]) for f in (0.0, 0.01, 0.25)),
    *((zipf_by_rank, {"ranks": r, "exponent": s, "offset": q}) for r in ([1, 2, 3, 4, 5], [3, 1, 2, 2], list(range(1, 101))) for s, q in ((0.0, 0.0), (1.0, 0.0), (1.07, 2.7))),
    *((two_hot, {"centres": c, "scale": "linear", "values": v}) for c, v in ((CENTRES, [-4.0, -2.1, 0.0, 0.1, 9.99, 10.0]), (EVEN, [-2.0, -0.3, 1.0, 1.7]))),
    (two_hot, {"centres": EVEN, "scale": "symlog", "values": [-6.3, -1.0, 0.0, 1e-9, 5.0]}),
    *((hl_gauss, {"edges": e, "scale": "linear", "sigma_in_bins": s, "values": v}) for e, v in ((EDGES, [-3.0, -1.0, 0.1, 1.9, 2.0]), (EVEN, [-2.0, 0.0, 0.3, 1.99])) for s in (0.1, 0.75, 2.0, 50.0)),
    (hl_gauss, {"edges": [float(edge) for edge in range(-20, 21)], "scale": "symlog", "sigma_in_bins": 0.75, "values": [-1e8, -3.0, 0.0, 1e-3, 12345.678]}),
    (expected_value, {"centres": EVEN, "scale": "linear", "probabilities": [0.125, 0.25, 0.5, 0.125, 0.0]}),
    (expected_value, {"centres": CENTRES, "scale": "linear", "probabilities": [0.1, 0.2, 0.3, 0.15, 0.25]}),
    (expected_value, {"centres": EVEN, "scale": "symlog", "probabilities": [0.7, 0.2, 0.05, 0.05, 0.0]}),
    (neighbour_labels, {"labels": [2, 0, 0, 3, 1], "offsets": [-2, -1, 1, 2], "weights": [0.02, 0.05, 0.05, 0.02], "classes": 4}),
    (neighbour_labels, {"labels": [1], "offsets": [-1, 1], "weights": [0.25, 0.25], "classes": 2}),
    *((preference, {"kind": kind, "beta": b, "epsilon": e, "pairs": PAIRS}) for kind in ("conservative", "robust") for b, e in ((0.1, 0.0), (0.1, 0.1), (0.5, 0.4375))),
]


def written(value):
    """As JSON has it: a number with a point as a string that Python and Rust read as the same binary64."""
    if isinstance(value, list):
        return [written(item) for item in value]
    if isinstance(value, mpf):
        return repr(float(value) + 0.0)
    return repr(value) if isinstance(value, float) else value


def line(builder, given):
    rows = builder(**given)
    case = {"builder": builder.__name__, "given": {key: written(value) for key, value in given.items()}, "rows": written(rows)}
    return json.dumps(case)


def main():
    text = "[\n" + ",\n".join(line(*case) for case in CASES) + "\n]\n"
    if sys.argv[1:] == ["--check"]:
        if FILE.read_text() != text:
            sys.exit(f"{FILE.name} is not what soft_targets.py writes")
    else:
        FILE.write_text(text)


if __name__ == "__main__":
    main()
