"""The loss as its definition reads, in a few hundred digits.

p = exp(z) / sum exp(z), the target smoothed class by class as the format's table says, -log p of that ratio, and the
gradient p - q in closed form. Nothing is rearranged to keep precision: digits are raised with the spread of the logits
instead. Each gradient is compared with a central difference of the loss before it is given out.
"""

import itertools
import math

from mpmath import inf, mp, mpf, nan

from .numbers import Draw, to_hex

DIGITS = 250  # of which the central difference takes 120, and the rest is far more than any case needs
WIDEST = 2000  # nats of spread that digits are raised for; exp(-2000) is 0 in binary64 and so is what is lost
STEP = 60  # the central difference takes steps of 10^-60: its own error is near 10^-120


def number(text):
    """A number of a file, exactly."""
    return mpf(float.fromhex(text))


def rounded(value):
    """The nearest binary64, in one rounding, as a file writes it; there is no -0."""
    if mp.isnan(value) or mp.isinf(value):
        return to_hex(float(value))
    mantissa, exponent = int(value.man) * (-1 if value < 0 and value.man > 0 else 1), value.exp
    if exponent >= 0:
        return to_hex(float(mantissa << exponent))
    if mantissa.bit_length() + exponent < -1100:
        return to_hex(0.0)  # Far below the smallest subnormal number, 2^-1074.
    return to_hex(mantissa / (1 << -exponent) + 0.0)  # Python divides integers with a single rounding.


def digits_for(case):
    """Digits enough for the least likely class and for 1 - p of the likeliest."""
    finite = [abs(z) for z in map(float.fromhex, case["logits"]["values"]) if math.isfinite(z)]
    return DIGITS + int(min(2 * max(finite, default=0), WIDEST) / math.log(10))


def expected(case):
    """What the format calls `expected`: the loss and the gradient."""
    with mp.workdps(digits_for(case)):
        problem = Problem(case)
        losses, slopes = problem.losses(problem.logits), problem.slopes()
        gradient = [problem.factor(element) * slope for element, slope in enumerate(slopes)]
        if problem.is_empty_mean():
            gradient = [mpf(0)] * len(slopes)  # By definition, whatever the rows hold.
        check_gradient(case, problem, losses, gradient)
        return {
            "loss": [rounded(value) for value in problem.reduce(losses)],
            "gradient": [rounded(value) for value in gradient],
        }


def check_gradient(case, problem, losses, gradient):
    """Compares with a central difference along a random direction over the rows whose loss is finite."""
    finite = [mp.isfinite(loss) for loss in losses]
    draw = Draw(case["id"])
    direction = [mpf(draw.between(1, 2)) * draw.choice([-1, 1]) for _ in gradient]
    step = mpf(10) ** -STEP

    def total(side):
        moved = [z + side * step * d for z, d in zip(problem.logits, direction)]
        moved = [loss if is_finite else mpf(0) for loss, is_finite in zip(problem.losses(moved), finite)]
        return sum((u * out for u, out in zip(problem.upstream, problem.reduce(moved))), mpf(0))

    if problem.is_empty_mean():
        return
    difference = (total(+1) - total(-1)) / (2 * step)
    along = [g * d for e, (g, d) in enumerate(zip(gradient, direction)) if finite[problem.unit[e]]]
    tolerance = mpf(10) ** -90 * (1 + sum(map(abs, along)))
    if not abs(difference - sum(along)) <= tolerance:
        raise ArithmeticError(f"{case['id']}: the gradient is not the loss's")


class Problem:
    """A case with its numbers parsed; only counted rows are looked at."""

    def __init__(self, case):
        self.case, self.config = case, case["config"]
        self.binary = case["loss"] == "binary_cross_entropy"
        self.logits = [number(text) for text in case["logits"]["values"]]
        self.rows = rows_of(case["logits"]["shape"], case["logits"]["class_axis"])
        self.classes = case["logits"]["shape"][case["logits"]["class_axis"]]
        self.class_weights = [number(text) for text in self.config.get("class_weights", ["0x1p+0"] * self.classes)]
        self.counted = [row for row in range(len(self.rows)) if self.is_counted(row)]
        # The output of reduction `none` that each element belongs to.
        self.unit = list(range(len(self.logits)))
        if not self.binary:
            for row, elements in enumerate(self.rows):
                for element in elements:
                    self.unit[element] = row
        self.units = len(self.logits) if self.binary else len(self.rows)
        self.reduction = self.config.get("reduction", "mean")
        outputs = self.units if self.reduction == "none" else 1
        self.upstream = [number(text) for text in case.get("upstream", ["0x1p+0"] * outputs)]
        self.denominator = self.sum_denominator()
        self.targets = {row: self.target(row) for row in self.counted}

    def is_counted(self, row):
        targets = self.case["targets"]
        ignored = self.config.get("ignore_index", []) if targets["kind"] == "indices" else []
        masked = self.case.get("row_mask", [1] * len(self.rows))[row] == 0
        return not masked and not (ignored and targets["values"][row] in ignored)

    def row_weight(self, row):
        return number(self.case["row_weights"][row]) if "row_weights" in self.case else mpf(1)

    def hard(self, row):
        """The target before smoothing."""
        targets = self.case["targets"]
        if targets["kind"] == "probabilities":
            return [number(targets["values"][element]) for element in self.rows[row]]
        if targets["kind"] == "indices":
            shares = [(targets["values"][row], mpf(1))]
        else:
            first = number(targets["lambda"][row])
            shares = [(targets["first"][row], first), (targets["second"][row], 1 - first)]
        return [sum((share for place, share in shares if place == c), mpf(0)) for c in range(self.classes)]

    def target_class(self, row):
        targets = self.case["targets"]
        return targets["values"][row] if targets["kind"] == "indices" else None

    def target(self, row):
        """Of a counted row: the target after smoothing, the weight of each class, and the weight of its entropy."""
        z = [self.logits[element] for element in self.rows[row]]
        q = smoothed_target(self.config, self.hard(row), self.target_class(row), z)
        weighting = self.config.get("class_weighting", "inside_sum")
        if weighting == "inside_sum":
            return q, [self.row_weight(row) * w for w in self.class_weights], self.row_weight(row)
        if weighting == "by_target":
            weight = self.class_weights[self.target_class(row)]
        else:
            weight = sum(w * share for w, share in zip(self.class_weights, q))
        weight = self.row_weight(row) * weight
        return q, [weight] * self.classes, weight

    def losses(self, logits):
        """Every output of reduction `none`; 0 for rows that are not counted."""
        losses = [mpf(0)] * self.units
        for row in self.counted:
            z = [logits[element] for element in self.rows[row]]
            q, w, entropy_weight = self.targets[row]
            if self.binary:
                for c, element in enumerate(self.rows[row]):
                    losses[element] = self.binary_loss(z[c], q[c], w[c])
            else:
                losses[row] = self.row_loss(row, z, q, w, entropy_weight)
        return losses

    def row_loss(self, row, z, q, w, entropy_weight):
        if not has_softmax(z):
            return nan
        p = softmax(z)
        loss = sum((w[c] * q[c] * minus_log(p[c]) for c in range(self.classes) if w[c] * q[c] != 0), mpf(0))
        loss += self.row_weight(row) * self.z_loss() * mp.log(sum(map(mp.exp, z))) ** 2
        if self.config.get("subtract_entropy", False):
            loss -= entropy_weight * entropy(q)
        return loss

    def binary_loss(self, z, q, w):
        if mp.isnan(z):
            return nan
        outcomes = [(q, sigmoid(z)), (1 - q, sigmoid(-z))]
        loss = sum((w * share * minus_log(p) for share, p in outcomes if w * share != 0), mpf(0))
        if self.config.get("subtract_entropy", False):
            loss -= w * entropy([q, 1 - q])
        return loss

    def slopes(self):
        """The derivative of each element's output (its row's loss, or its own) by the element."""
        slopes = [mpf(0)] * len(self.logits)
        for row in self.counted:
            z = [self.logits[element] for element in self.rows[row]]
            q, w, _ = self.targets[row]
            if self.binary:
                of_row = [nan if mp.isnan(z[c]) else w[c] * (sigmoid(z[c]) - q[c]) for c in range(self.classes)]
            elif has_softmax(z):
                p, log_sum = softmax(z), mp.log(sum(map(mp.exp, z)))
                a = [w[c] * q[c] for c in range(self.classes)]
                of_p = sum(a) + 2 * self.row_weight(row) * self.z_loss() * log_sum
                of_row = [of_p * p[c] - a[c] for c in range(self.classes)]
            else:
                of_row = [nan] * self.classes
            for element, slope in zip(self.rows[row], of_row):
                slopes[element] = slope
        return slopes

    def z_loss(self):
        return number(self.config.get("z_loss", "0x0p+0"))

    def sum_denominator(self):
        denominator = self.config.get("denominator", "weights")
        per_row = self.classes if self.binary else 1
        if denominator == "counted":
            return mpf(len(self.counted) * per_row)
        if denominator == "all":
            return mpf(len(self.rows) * per_row)
        if denominator == "weights":
            return sum((self.row_weight(row) * self.row_share(row) for row in self.counted), mpf(0))
        return number(denominator["constant"])

    def row_share(self, row):
        """A row's part of the denominator `weights`, before its row weight."""
        if self.binary:
            return sum(self.class_weights)
        if "class_weights" not in self.config:
            return mpf(1)
        return sum(w * share for w, share in zip(self.class_weights, self.hard(row)))

    def is_empty_mean(self):
        return self.reduction == "mean" and self.denominator == 0

    def reduce(self, losses):
        if self.reduction == "none":
            return losses
        total = sum(losses, mpf(0))
        if self.reduction == "sum":
            return [total]
        if self.is_empty_mean():
            return [mpf(0) if self.config.get("empty_mean", "nan") == "zero" else nan]
        return [total / self.denominator]

    def factor(self, element):
        """The derivative of sum(upstream * outputs) by the element's own output."""
        if self.reduction == "none":
            return self.upstream[self.unit[element]]
        if self.reduction == "sum":
            return self.upstream[0]
        return self.upstream[0] if self.is_empty_mean() else self.upstream[0] / self.denominator


def rows_of(shape, axis):
    """The elements of each row, class by class; rows in row-major order of the shape without the class axis."""
    strides = [math.prod(shape[place + 1 :]) for place in range(len(shape))]
    others = [place for place in range(len(shape)) if place != axis]
    rows = []
    for position in itertools.product(*(range(shape[place]) for place in others)):
        start = sum(index * strides[place] for index, place in zip(position, others))
        rows.append([start + c * strides[axis] for c in range(shape[axis])])
    return rows


def smoothed_target(config, hard, target, z):
    """q after smoothing: (1 - e) q + e u in every kind but those for binary targets."""
    smoothing = config.get("smoothing", {"kind": "none"})
    kind, classes = smoothing["kind"], range(len(hard))
    if kind == "none":
        return hard
    if kind == "negative":
        r = number(smoothing["rate"])
        open_to_mass = [c for c in classes if z[c] != -inf or config.get("non_finite_logits") != "restrict_support"]
        return [(1 - r) * hard[c] + (r / len(open_to_mass) if c in open_to_mass else 0) for c in classes]
    e = number(smoothing["epsilons"][target] if kind == "uniform_per_class" else smoothing["epsilon"])
    if kind == "unbiased_flip":
        return [(y - e) / (1 - 2 * e) for y in hard]
    if kind == "uniform_half":
        return [(1 - e) * y + e / 2 for y in hard]
    if kind == "uniform_flip":
        return [(1 - 2 * e) * y + e for y in hard]
    if kind == "positives_only":
        return [(1 - e) * y for y in hard]
    open_to_mass = set(classes) - set(config.get("excluded_classes", []))
    restricted = config.get("non_finite_logits", "propagate") == "restrict_support"
    if restricted:
        open_to_mass = {c for c in open_to_mass if z[c] != -inf}
    if kind == "uniform_others":
        open_to_mass -= {target}
    if kind in ("uniform", "uniform_others", "uniform_per_class"):
        u = [mpf(1) / len(open_to_mass) if c in open_to_mass else mpf(0) for c in classes]
    else:
        u = [
            number(text) for text in (smoothing["rows"][target] if kind == "class_rows" else smoothing["distribution"])
        ]
        if restricted:
            kept = sum((u[c] for c in open_to_mass), mpf(0))
            u = [u[c] / kept if c in open_to_mass and kept != 0 else mpf(0) for c in classes]
    if all(share == 0 for share in u):
        return hard  # The smoothing mass finds no class to go to.
    return [(1 - e) * hard[c] + e * u[c] for c in classes]


def has_softmax(z):
    return all(not mp.isnan(value) and value != inf for value in z) and any(value != -inf for value in z)


def softmax(z):
    powers = [mp.exp(value) for value in z]
    total = sum(powers)
    return [power / total for power in powers]


def sigmoid(z):
    return 1 / (1 + mp.exp(-z)) if z != -inf else mpf(0)


def minus_log(p):
    return -mp.log(p) if p != 0 else inf


def entropy(q):
    return sum((share * minus_log(share) for share in q if share != 0), mpf(0))
