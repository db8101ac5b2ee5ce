"""Options drawn at random over everything that goes together."""

from ..group import BINARY_KINDS, INDEX_KINDS, INF, KINDS, NAN, REDUCTIONS, draw_smoothing
from ..numbers import Draw, bf16, f32

SHAPES = [
    ((5,), 0),
    ((3, 4), 1),
    ((4, 3), 0),
    ((2, 6), 1),
    ((6, 2), 1),
    ((2, 3, 4), 1),
    ((2, 3, 4), 2),
    ((3, 2, 2), 0),
    ((1, 17), 1),
    ((2, 33), 1),
    ((5, 7), 1),
    ((2, 3, 2, 2), 1),
    ((18, 3), 1),
]
RATES = [0.0, 0.05, 0.1, 0.25, 0.4, 1.0]


def add_cases(group):
    for number in range(90):
        draw = Draw(f"mixes/cross-entropy/{number}")
        add_mix(group, f"cross_entropy/{number:03}", cross_entropy(draw), draw)
    for number in range(40):
        draw = Draw(f"mixes/binary/{number}")
        add_mix(group, f"binary/{number:03}", binary(draw), draw)


def cross_entropy(draw):
    """What only the softmax family has."""
    targets = draw.choice(["indices", "indices", "probabilities", "loose", "mixed"])
    kind = draw.choice([kind for kind in KINDS if targets == "indices" or kind not in INDEX_KINDS])
    weightings = ["inside_sum", "by_target", "expected"] if targets == "indices" else ["inside_sum", "expected"]
    given = {"targets": targets, "class_weighting": draw.choice(weightings), "kind": kind}
    given["non_finite_logits"] = draw.choice(["propagate", "restrict_support"])
    if draw.chance(1, 3):
        given["z_loss"] = draw.choice([2.0**-13, 0.0625, 0.5])
    return given


def binary(draw):
    """What only the binary family has."""
    return {
        "loss": "binary_cross_entropy",
        "targets": draw.choice(["bits", "soft", "soft", "indices", "mixed"]),
        "kind": draw.choice(BINARY_KINDS),
    }


def add_mix(group, name, given, draw):
    """Draws what both families have, and adds the case."""
    shape, axis = draw.choice(SHAPES)
    classes, rows = shape[axis], 1
    for place, length in enumerate(shape):
        rows *= 1 if place == axis else length
    kind = given.pop("kind")
    if kind == "uniform_others" and classes == 1:
        kind = "uniform"
    given["smoothing"] = draw_smoothing(draw, kind, draw.choice(RATES), classes)
    if draw.chance(1, 2):
        given["class_weights"] = [bf16(draw.between(0.25, 3)) if draw.chance(7, 8) else 0.0 for _ in range(classes)]
    if draw.chance(1, 3):
        given["row_weights"] = [bf16(draw.between(0.25, 3)) if draw.chance(7, 8) else 0.0 for _ in range(rows)]
    if draw.chance(1, 3):
        given["row_mask"] = [int(draw.chance(3, 4)) for _ in range(rows)]
    if draw.chance(1, 3) and given["targets"] == "indices":
        given["ignore_index"] = draw.choice([[0], [1, 2], [classes - 1], [-100]])
    if draw.chance(1, 3) and kind in ("uniform", "uniform_others"):
        given["excluded_classes"] = sorted({draw.below(classes) for _ in range(1 + draw.below(3))})
    if draw.chance(1, 3):
        given["subtract_entropy"] = True
    reduce = draw.choice(list(REDUCTIONS))
    given["empty_mean"] = draw.choice(["nan", "zero"])
    logits = draw_logits(draw, rows * classes, draw.choice([bf16, bf16, bf16, f32]), "loss" not in given)
    group.add(f"{name}/{kind}+{given['targets']}/{reduce}", "random-mix", shape=shape, axis=axis, logits=logits,
              reduce=reduce, **given)


def draw_logits(draw, count, rounding, softmax):
    """Mostly small logits; at times wide ones, or a few at -inf, or, for a tenth of the cases, a NaN."""
    logits = draw.logits(count, draw.choice([2.0, 4.0, 4.0, 30.0]), rounding)
    if softmax and draw.chance(1, 3):
        logits = [-INF if draw.chance(1, 8) else z for z in logits]
    if draw.chance(1, 10):
        logits[draw.below(count)] = NAN
    return logits
