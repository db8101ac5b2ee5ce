"""Building a case from a few words: whatever is not given is drawn, seeded with the case's id."""

import math

from .exact import expected, rows_of
from .numbers import Draw, bf16, f32, to_hex

INF, NAN = math.inf, math.nan

# How a reduction is called in an id, and how it is configured.
REDUCTIONS = {
    "none": {"reduction": "none"},
    "sum": {"reduction": "sum"},
    "mean": {"reduction": "mean"},
    "mean-counted": {"reduction": "mean", "denominator": "counted"},
    "mean-all": {"reduction": "mean", "denominator": "all"},
    "mean-constant": {"reduction": "mean", "denominator": {"constant": 6.5}},
}
MEANS = [name for name in REDUCTIONS if name.startswith("mean")]
WEIGHTINGS = ["inside_sum", "by_target", "expected"]
KINDS = ["none", "uniform", "uniform_others", "distribution", "class_rows", "uniform_per_class"]
INDEX_KINDS = ["uniform_others", "class_rows", "uniform_per_class"]
BINARY_KINDS = ["none", "uniform", "distribution", "uniform_half", "uniform_flip", "positives_only"]


def plain(value):
    """A value as JSON has it: floats as hexadecimal strings, integers and words as they are."""
    if isinstance(value, float):
        return to_hex(value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def element_type(logits):
    """The flag of logits that bfloat16 does not hold."""
    for flag, rounding in (("beyond-float32", f32), ("beyond-bfloat16", bf16)):
        if any(rounding(z) != z for z in logits if not math.isnan(z)):
            return [flag]
    return []


class Group:
    """The cases of one file."""

    def __init__(self, name):
        self.name, self.cases = name, []

    def add(self, name, *flags, gradient=True, rejected=None, **given):
        """Adds a case; see `question` for what may be given."""
        case = question(f"own/{self.name}/{name}", flags, **given)
        case["expected"] = {"rejected": rejected} if rejected else expected(case)
        if not gradient:
            del case["expected"]["gradient"]
        self.cases.append(case)

    def refuse(self, reason, name, *flags, **given):
        """Adds a case that is refused."""
        self.add(f"{reason}/{name}", "one-fault", *flags, rejected=reason, **{"upstream": None, **given})


def question(case_id, flags, *, loss="cross_entropy", shape=(3, 5), axis=None, logits=None, targets="indices",
             upstream=True, row_mask=None, row_weights=None, reduce="mean", **config):
    """A case without its answer.

    `logits`: values, or a function of the draw and their number. `targets`: a kind to draw, or values with their kind.
    `class_weights`, `row_weights`, `upstream`: values, or True to draw them. `smoothing`: a kind and its rate, or the
    whole of it. `reduce`: one of REDUCTIONS, or None to leave it out.
    """
    draw, shape = Draw(case_id), list(shape)
    axis = len(shape) - 1 if axis is None else axis
    rows, classes = rows_of(shape, axis), shape[axis]
    config = {**config, **(REDUCTIONS[reduce] if reduce else {})}
    if logits is None or callable(logits):
        logits = (logits or Draw.logits)(draw, math.prod(shape))
    if isinstance(targets, str):
        targets = draw_targets(draw, targets, rows, classes)
    if isinstance(config.get("smoothing"), tuple):
        config["smoothing"] = draw_smoothing(draw, *config["smoothing"], classes)
    if config.get("class_weights") is True:
        config["class_weights"] = draw.weights(classes)
    if row_weights is True:
        row_weights = draw.weights(len(rows))
    units = len(logits) if loss == "binary_cross_entropy" else len(rows)
    if upstream is True:
        upstream = draw.upstream(units if reduce == "none" else 1)
    case = {
        "id": case_id,
        "flags": [*flags, *element_type(logits)],
        "loss": loss,
        "config": plain(config),
        "logits": {"shape": shape, "class_axis": axis, "values": plain([float(z) for z in logits])},
        "targets": plain(targets),
        "row_mask": row_mask,
        "row_weights": plain(row_weights),
        "upstream": plain(upstream or None),
    }
    return {key: value for key, value in case.items() if value is not None}


def draw_targets(draw, kind, rows, classes):
    """Targets of a kind: of the format's, or `one-hot`, `loose` (that do not sum to 1), `bits` and `soft` (binary)."""
    if kind == "indices":
        return {"kind": kind, "values": draw.classes(len(rows), classes)}
    if kind == "mixed":
        first, second = draw.classes(len(rows), classes), draw.classes(len(rows), classes)
        return {"kind": kind, "first": first, "second": second, "lambda": [draw.below(33) / 32 for _ in rows]}
    values = [0.0] * (len(rows) * classes)
    for elements in rows:
        for element, share in zip(elements, draw_row(draw, kind, classes)):
            values[element] = share
    return {"kind": "probabilities", "values": values}


def draw_row(draw, kind, classes):
    """One row of probabilities."""
    if kind == "probabilities":
        return draw.simplex(classes, zeros=True)
    if kind == "one-hot":
        target = draw.below(classes)
        return [float(c == target) for c in range(classes)]
    if kind == "loose":
        return [draw.choice([0.0, bf16(draw.between(0, 1)), bf16(draw.between(0, 1))]) for _ in range(classes)]
    if kind == "bits":
        return [float(draw.below(2)) for _ in range(classes)]
    assert kind == "soft", kind
    return [draw.below(65) / 64 for _ in range(classes)]


def draw_smoothing(draw, kind, epsilon, classes):
    """Smoothing of a kind at a rate."""
    if kind == "none":
        return {"kind": kind}
    if kind == "uniform_per_class":
        return {"kind": kind, "epsilons": [draw.choice([epsilon, epsilon / 2, epsilon / 8]) for _ in range(classes)]}
    if kind == "negative":
        return {"kind": kind, "rate": epsilon}
    smoothing = {"kind": kind, "epsilon": epsilon}
    if kind == "distribution":
        smoothing["distribution"] = draw.simplex(classes)
    if kind == "class_rows":
        smoothing["rows"] = [draw.simplex(classes) for _ in range(classes)]
    return smoothing
