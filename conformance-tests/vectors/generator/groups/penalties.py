"""Each penalty alone, with everything that it must not feel, and all of them together."""

from ..group import INF, NAN, REDUCTIONS, WEIGHTINGS
from ..numbers import f32

TERM = "penalty-term"
ONE_EACH = {
    "confidence": {"kind": "confidence", "strength": 0.5},
    "margin": {"kind": "margin", "strength": 0.25, "margin": 2.0},
    "max_suppression": {"kind": "max_suppression", "strength": 0.5},
    "poly": {"kind": "poly", "epsilon": 2.0},
}
ALL = list(ONE_EACH.values())
UNIFORM = ("uniform", 0.1)
LEADS = [1.0, 5.0, 17.0, 40.0, 80.0]


def add_cases(group):
    for name, term in ONE_EACH.items():
        for add in (alone, targets, weights, ignored, confident, non_finite, shapes):
            add(group, name, [term])
    for add in (strengths, ties, margins, together, refused):
        add(group)


def alone(group, name, terms):
    for reduce in REDUCTIONS:
        group.add(f"{name}/alone/{reduce}", TERM, penalties=terms, reduce=reduce)
    group.add(f"{name}/smoothed/none", TERM, penalties=terms, smoothing=UNIFORM, reduce="none")
    group.add(f"{name}/z_loss/mean", TERM, penalties=terms, smoothing=UNIFORM, z_loss=0.125)
    group.add(f"{name}/subtract_entropy/none", TERM, penalties=terms, smoothing=UNIFORM, subtract_entropy=True,
              reduce="none")
    group.add(f"{name}/excluded/none", TERM, "penalty-of-every-class", penalties=terms, smoothing=UNIFORM,
              excluded_classes=[0, 3], reduce="none")


def targets(group, name, terms):
    for targets in ("probabilities", "loose", "mixed", "one-hot"):
        group.add(f"{name}/{targets}/none", TERM, targets=targets, penalties=terms, smoothing=("uniform", 0.2),
                  reduce="none")
    group.add(f"{name}/wrong-and-right/none", TERM, shape=(4, 5), penalties=terms, reduce="none",
              logits=[3.0, 0.5, -1.0, 0.0, -2.5] * 4, targets={"kind": "indices", "values": [0, 1, 2, 4]})


def weights(group, name, terms):
    for weighting in WEIGHTINGS:
        group.add(f"{name}/{weighting}/mean", TERM, "penalty-weights", class_weights=True, class_weighting=weighting,
                  penalties=terms, smoothing=UNIFORM)
    group.add(f"{name}/weights/probabilities/none", TERM, "penalty-weights", class_weights=True, targets="probabilities",
              penalties=terms, smoothing=UNIFORM, reduce="none")
    for reduce in ("none", "sum", "mean", "mean-counted"):
        group.add(f"{name}/row-weights/{reduce}", TERM, "penalty-weights", row_weights=[0.5, 0.0, 3.0],
                  class_weights=True, penalties=terms, smoothing=UNIFORM, reduce=reduce)


def ignored(group, name, terms):
    given = {"penalties": terms, "shape": (4, 3), "smoothing": UNIFORM}
    for reduce in ("none", "mean", "mean-all"):
        group.add(f"{name}/ignore/{reduce}", TERM, "ignored-rows-hold-anything", ignore_index=[-100], reduce=reduce,
                  targets={"kind": "indices", "values": [2, -100, 0, 1]},
                  logits=[0.5, 1.0, -2.0, NAN, INF, 0.0, 3.0, -1.0, 0.0, 1.0, 4.0, -INF], **given)
    group.add(f"{name}/mask/sum", TERM, "ignored-rows-hold-anything", row_mask=[1, 0, 1, 1], reduce="sum", **given)
    group.add(f"{name}/every-row-masked/mean/zero", TERM, "all-rows-ignored", row_mask=[0, 0, 0, 0], empty_mean="zero",
              **given)


def confident(group, name, terms):
    """The target's weight is 0, so that nothing is left but the penalty, whose scale knows confident rows."""

    def leads(rounding):
        return lambda draw, _: [
            z for lead in LEADS for z in (0.0, rounding(draw.between(-2, -1)), rounding(lead + draw.between(0.25, 0.5)))
        ]

    only = {"penalties": terms, "shape": (5, 3), "class_weights": [1.0, 1.0, 0.0], "reduce": "none",
            "targets": {"kind": "indices", "values": [2] * 5}}
    group.add(f"{name}/confident/none", TERM, "penalty-of-a-confident-row", **only,
              logits=[z for lead in LEADS for z in (0.0, -1.5, lead)])
    group.add(f"{name}/confident/float32/none", TERM, "penalty-of-a-confident-row", **only, logits=leads(f32))
    group.add(f"{name}/confident/float64/none", TERM, "penalty-of-a-confident-row", **only, logits=leads(float))
    group.add(f"{name}/far-apart/none", TERM, "no-overflow", shape=(2, 4), penalties=terms, reduce="none",
              logits=[1e4, -1e4, 9984.0, 0.0, -512.0, -640.0, -1024.0, -513.0], smoothing=UNIFORM)
    group.add(f"{name}/offset/none", TERM, "shifted-sum", shape=(2, 4), penalties=terms, reduce="none",
              logits=[16384.0, 16384.0 + 128.0, 16384.0 - 256.0, 16384.0, -(2.0**20), -(2.0**20) + 8192.0, -(2.0**20), -(2.0**21)],
              smoothing=UNIFORM)


def non_finite(group, name, terms):
    given = {"penalties": terms, "reduce": "none"}
    group.add(f"{name}/minus-infinity/none", TERM, "minus-infinity-anywhere", shape=(3, 4), **given,
              targets={"kind": "indices", "values": [1, 0, 3]},
              logits=[-INF, 1.0, 0.5, -3.0, 2.0, -INF, -INF, -4.0, -INF, -INF, -INF, 0.5])
    group.add(f"{name}/minus-infinity/smoothed/none", TERM, "infinite-loss-finite-gradient", shape=(2, 4), **given,
              smoothing=UNIFORM, logits=[-INF, 1.0, 0.5, -3.0, 2.0, 1.0, -INF, -4.0])
    group.add(f"{name}/minus-infinity/restricted/none", TERM, "restricted-support", shape=(2, 4), **given,
              targets={"kind": "indices", "values": [1, 0]}, smoothing=UNIFORM, non_finite_logits="restrict_support",
              logits=[-INF, 1.0, 0.5, -3.0, 2.0, 1.0, -INF, -4.0])
    group.add(f"{name}/bad-rows/none", TERM, "one-bad-row", shape=(4, 3), **given,
              logits=[0.5, NAN, 1.0, 2.0, 0.0, -1.0, INF, 0.0, 1.0, -INF, -INF, -INF])


def shapes(group, name, terms):
    for k in (1, 2, 17, 65, 130):
        group.add(f"{name}/{k}-classes/none", TERM, "lane-edges", shape=(2, k), penalties=terms, reduce="none",
                  smoothing=UNIFORM)
    group.add(f"{name}/rank-3/axis-1/none", TERM, "inner-stride", shape=(2, 4, 3), axis=1, penalties=terms, reduce="none",
              smoothing=UNIFORM)
    group.add(f"{name}/rank-1/mean", TERM, shape=(6,), penalties=terms)
    group.add(f"{name}/no-rows/sum", TERM, shape=(0, 3), penalties=terms, reduce="sum")


def strengths(group):
    for name, term in {
        "confidence-0": {"kind": "confidence", "strength": 0.0},
        "confidence-8": {"kind": "confidence", "strength": 8.0},
        "margin-0": {"kind": "margin", "strength": 0.25, "margin": 0.0},
        "margin-10": {"kind": "margin", "strength": 0.1, "margin": 10.0},
        "margin-strength-0": {"kind": "margin", "strength": 0.0, "margin": 1.0},
        "max_suppression-0": {"kind": "max_suppression", "strength": 0.0},
        "max_suppression-0.1": {"kind": "max_suppression", "strength": 0.1},
        "poly-0": {"kind": "poly", "epsilon": 0.0},
        "poly-minus-1": {"kind": "poly", "epsilon": -1.0},
        "poly-6": {"kind": "poly", "epsilon": 6.0},
    }.items():
        group.add(f"strength/{name}/none", TERM, penalties=[term], smoothing=UNIFORM, reduce="none")


def ties(group):
    for name, term in ONE_EACH.items():
        group.add(f"{name}/ties/none", TERM, "ties", shape=(3, 5), penalties=[term], reduce="none",
                  logits=[1.0, 3.0, 3.0, -2.0, 3.0, 0.5, 0.5, 0.5, 0.5, 0.5, -INF, -1.0, -4.0, -1.0, -INF],
                  targets={"kind": "indices", "values": [2, 4, 3]})


def margins(group):
    """Distances of exactly the margin are within, whatever the logits' offset."""
    term = {"kind": "margin", "strength": 1.0, "margin": 2.0}
    group.add("margin/at-the-margin/none", TERM, "margin-edges", shape=(3, 5), penalties=[term], reduce="none",
              logits=[2.0, 0.0, -0.5, 0.5, 0.0, 64.0, 62.0, 61.5, 62.5, 64.0, -1.0, -3.0, -3.0, -3.0, -3.0])
    for k in (63, 64, 129):
        group.add(f"margin/{k}-classes-beyond/none", TERM, "lane-edges", shape=(1, k), penalties=[term], reduce="none",
                  logits=[8.0] + [0.0] * (k - 1))


def together(group):
    for reduce in REDUCTIONS:
        group.add(f"together/{reduce}", TERM, "every-combination", penalties=ALL, smoothing=UNIFORM, z_loss=0.0625,
                  class_weights=True, row_weights=True, reduce=reduce)
    for targets in ("probabilities", "mixed", "loose"):
        group.add(f"together/{targets}/mean", TERM, "every-combination", penalties=ALL[::-1], targets=targets,
                  smoothing=("distribution", 0.2), class_weights=True, class_weighting="expected")
    group.add("together/130-classes/none", TERM, "lane-edges", shape=(2, 130), penalties=ALL, smoothing=UNIFORM,
              reduce="none")


def refused(group):
    for name, term in {
        "confidence-negative": {"kind": "confidence", "strength": -0.125},
        "confidence-nan": {"kind": "confidence", "strength": NAN},
        "margin-strength-infinite": {"kind": "margin", "strength": INF, "margin": 1.0},
        "margin-negative": {"kind": "margin", "strength": 0.5, "margin": -1.0},
        "margin-infinite": {"kind": "margin", "strength": 0.5, "margin": INF},
        "max_suppression-negative": {"kind": "max_suppression", "strength": -1.0},
        "poly-below-minus-1": {"kind": "poly", "epsilon": -1.5},
        "poly-nan": {"kind": "poly", "epsilon": NAN},
        "poly-infinite": {"kind": "poly", "epsilon": INF},
    }.items():
        group.refuse("invalid-configuration", name, penalties=[term])
    for name, term in ONE_EACH.items():
        group.refuse("invalid-configuration", f"{name}-twice", penalties=[term, ALL[0], term][:: 2])
        group.refuse("invalid-configuration", f"{name}-with-binary", loss="binary_cross_entropy", targets="bits",
                     penalties=[term])
