"""The binary loss: every kind, target and denominator, infinite logits, masks and axes."""

from ..group import BINARY_KINDS, INF, NAN, REDUCTIONS
from ..numbers import f32

BINARY = {"loss": "binary_cross_entropy"}
UNITS = ("binary-units",)


def add_cases(group):
    for add in (combinations, rates, infinite, wide, not_counted, shapes, element_types):
        add(group)


def combinations(group):
    turn = 0
    for kind in BINARY_KINDS:
        for targets in ("bits", "soft", "indices", "mixed"):
            for weighted in (False, True):
                reduce = list(REDUCTIONS)[turn % len(REDUCTIONS)]
                group.add(f"{kind}/{targets}/{'weighted' if weighted else 'unweighted'}/{reduce}", *UNITS,
                          "bce-convention", shape=(3, 4), targets=targets, smoothing=(kind, 0.2), reduce=reduce,
                          **BINARY, **{"class_weights": True} if weighted else {})
                turn += 1
    group.add("distribution/zeros/none", *UNITS, "bce-convention", shape=(2, 3), targets="bits", reduce="none",
              **BINARY, smoothing={"kind": "distribution", "epsilon": 0.5, "distribution": [0.0, 1.0, 0.0]})
    group.add("class-weight-0/mean", *UNITS, shape=(3, 3), targets="bits", smoothing=("uniform_half", 0.2),
              class_weights=[1.0, 0.0, 2.0], **BINARY)


def rates(group):
    for kind in BINARY_KINDS[1:]:
        for epsilon in (0.0, 2.0**-20, 0.5, 1.0):
            group.add(f"rate-{epsilon.hex()}/{kind}/none", "epsilon-edges", shape=(2, 3), targets="bits",
                      smoothing=(kind, epsilon), reduce="none", **BINARY)


def infinite(group):
    """An infinite logit costs nothing on the right side, everything on the wrong one, and its gradient is finite."""
    logits = [INF, -INF, INF, -INF, 1.0, -1.0]
    for kind in BINARY_KINDS:
        right = {"kind": "probabilities", "values": [1.0, 0.0, 1.0, 0.0, 1.0, 0.0]}
        wrong = {"kind": "probabilities", "values": [0.0, 1.0, 0.5, 0.5, 0.0, 1.0]}
        for epsilon in (0.0, 0.2):
            for side, targets in {"right": right, "wrong": wrong}.items():
                group.add(f"infinite/{kind}/rate-{epsilon}/{side}/none", "infinite-loss-finite-gradient",
                          "zero-mass-costs-nothing", shape=(6, 1), logits=logits, targets=targets, reduce="none",
                          smoothing=(kind, epsilon), **BINARY)
    group.add("infinite/mean", "infinite-loss-finite-gradient", shape=(2, 3), logits=logits, targets="soft", **BINARY)
    group.add("infinite/weight-0/none", "zero-mass-costs-nothing", shape=(2, 3), logits=logits, reduce="none", **BINARY,
              targets={"kind": "probabilities", "values": [0.0, 1.0, 1.0, 1.0, 1.0, 0.0]},
              class_weights=[0.0, 0.0, 1.0])
    # Every element is a unit of its own: one NaN is NaN, and its neighbours in the row are not.
    for reduce in ("none", "sum", "mean"):
        group.add(f"nan-element/{reduce}", *UNITS, "one-bad-row", shape=(2, 3), logits=[1.0, NAN, 0.5, 2.0, -1.0, 0.25],
                  targets="bits", smoothing=("uniform_half", 0.2), reduce=reduce, **BINARY)


def wide(group):
    sizes = [0.0, 5.0, 10.0, 17.0, 22.0, 40.0, 60.0, 80.0, 104.0, 1000.0]
    logits = [sign * size for size in sizes for sign in (1.0, -1.0)]
    right = {"kind": "probabilities", "values": [1.0, 0.0] * len(sizes)}
    wrong = {"kind": "probabilities", "values": [0.0, 1.0] * len(sizes)}
    for side, targets, flags in (("right", right, ("confident-element",)), ("wrong", wrong, ())):
        group.add(f"wide/{side}/none", "bce-wide-logits", *flags, shape=(20, 1), logits=logits, targets=targets,
                  reduce="none", upstream=[1.0] * 20, **BINARY)
        for kind in BINARY_KINDS[1:]:
            group.add(f"wide/{side}/{kind}/none", "bce-wide-logits", shape=(20, 1), logits=logits, targets=targets,
                      smoothing=(kind, 0.2), reduce="none", **BINARY)
    group.add("wide/right/rate-0/none", "bce-wide-logits", "confident-element", shape=(20, 1), logits=logits,
              targets=right, smoothing=("uniform_half", 0.0), reduce="none", upstream=[1.0] * 20, **BINARY)
    group.add("zeros-of-both-signs/none", "bce-wide-logits", shape=(2, 2), logits=[0.0, -0.0, -0.0, 0.0],
              targets="bits", reduce="none", **BINARY)


def not_counted(group):
    for reduce in REDUCTIONS:
        group.add(f"mask/{reduce}", *UNITS, "ignored-rows-leave-the-mean", "ignored-rows-hold-anything", shape=(3, 3),
                  logits=[1.0, -0.5, 2.0, NAN, INF, -INF, 0.25, 0.5, -3.0], row_mask=[1, 0, 1], targets="soft",
                  smoothing=("uniform_flip", 0.1), class_weights=True, reduce=reduce, **BINARY)
        group.add(f"ignore/{reduce}", *UNITS, "ignored-rows-leave-the-mean", shape=(4, 3), ignore_index=[-100, 1],
                  targets={"kind": "indices", "values": [0, -100, 2, 1]}, smoothing=("uniform", 0.1), reduce=reduce,
                  **BINARY)
    for empty in ("nan", "zero"):
        group.add(f"every-row-masked/mean/{empty}", "all-rows-ignored", shape=(2, 3), row_mask=[0, 0], targets="bits",
                  smoothing=("uniform_half", 0.1), empty_mean=empty, **BINARY)
    group.add("every-row-masked/mean-all", "all-rows-ignored", shape=(2, 3), row_mask=[0, 0], targets="bits",
              reduce="mean-all", **BINARY)
    group.add("weights-0/mean/zero", "all-rows-ignored", shape=(2, 3), class_weights=[0.0, 0.0, 0.0], targets="bits",
              empty_mean="zero", **BINARY)
    group.add("mixed+mask/mean", *UNITS, "mixed-pair", targets="mixed", row_mask=[0, 1, 1],
              smoothing=("uniform_half", 0.1), **BINARY)


def shapes(group):
    for name, shape, axis in (
        ("rank-1", (5,), 0),
        ("rank-2/axis-0", (3, 4), 0),
        ("rank-3/axis-1", (2, 3, 4), 1),
        ("rank-4/axis-2", (2, 1, 3, 2), 2),
        ("empty-batch", (0, 4), 1),
        ("one-element", (1, 1), 1),
    ):
        for reduce in ("none", "mean"):
            group.add(f"{name}/{reduce}", *UNITS, "classes-on-the-class-axis", shape=shape, axis=axis, targets="soft",
                      smoothing=("distribution", 0.2), class_weights=True, reduce=reduce, **BINARY)
    for k in (15, 16, 17, 31, 32, 33, 65):
        group.add(f"{k}-classes/none", *UNITS, "lane-edges", shape=(2, k), targets="bits", smoothing=("uniform", 0.2),
                  class_weights=True, reduce="none", **BINARY)


def element_types(group):
    for name, rounding in (("float32", f32), ("float64", float)):
        group.add(f"{name}/none", *UNITS, shape=(3, 5), targets="soft", smoothing=("uniform_half", 0.1), reduce="none",
                  logits=lambda draw, count, rounding=rounding: draw.logits(count, 9.0, rounding), **BINARY)
