"""A few classes per row with their probabilities."""

from ..group import BINARY_KINDS, INF, NAN, REDUCTIONS
from ..numbers import Draw, bf16

FLAG = "sparse-entries"
BINARY = {"loss": "binary_cross_entropy"}


def add_cases(group):
    for add in (kinds, padding, weights, shapes, binary, refusals):
        add(group)


def drawn(name, rows, classes, entries, whole=False):
    """Entries of a row: any classes, twice the same among them, and probabilities that need not sum to 1."""
    draw = Draw(f"sparse/{name}")
    shares = []
    for _ in range(rows):
        shares += draw.simplex(entries) if whole else [bf16(draw.between(0, 1)) for _ in range(entries)]
    return {"kind": "sparse", "classes": draw.classes(rows * entries, classes), "probabilities": shares}


def sparse(classes, probabilities):
    return {"kind": "sparse", "classes": classes, "probabilities": probabilities}


def kinds(group):
    turn = 0
    for kind, rate in (("none", 0.0), ("uniform", 0.1), ("distribution", 0.3), ("negative", -0.5)):
        for entries in (1, 2, 4):
            for weighted in (False, True):
                reduce = list(REDUCTIONS)[turn % len(REDUCTIONS)]
                group.add(f"{kind}/{entries}-entries/{'weighted' if weighted else 'unweighted'}/{reduce}", FLAG,
                          "unnormalised-targets", shape=(3, 6), targets=drawn(f"{kind}/{entries}", 3, 6, entries),
                          smoothing=(kind, rate), reduce=reduce, **{"class_weights": True} if weighted else {})
                turn += 1
    group.add("twice-the-same/none", FLAG, shape=(2, 4), targets=sparse([1, 1, 3, 0, 2, 0], [0.25, 0.5, 0.25, 0.5, 0.0, 0.5]),
              reduce="none")
    group.add("all-of-it/subtract_entropy/mean", FLAG, shape=(2, 4), targets=drawn("entropy", 2, 4, 3, whole=True),
              smoothing=("uniform", 0.1), subtract_entropy=True)
    group.add("expected/mean", FLAG, "three-weightings", shape=(3, 4), targets=drawn("expected", 3, 4, 2),
              class_weights=True, class_weighting="expected", smoothing=("uniform", 0.1))
    group.add("z-loss/mean", FLAG, shape=(3, 4), targets=drawn("z-loss", 3, 4, 2), z_loss=0.0625)
    logits = [1.0, -INF, 0.5, 2.0, -INF, 0.25, -1.0, 0.0]
    for policy in ("propagate", "restrict_support"):
        group.add(f"{policy}/none", FLAG, "zero-mass-costs-nothing", shape=(2, 4), logits=logits, reduce="none",
                  targets=sparse([0, 2, 3, 1], [0.5, 0.5, 1.0, 0.25]), non_finite_logits=policy,
                  smoothing=("uniform", 0.125))


def padding(group):
    """An ignored id pads a row, whatever is beside it; a row of nothing else is ignored."""
    targets = sparse([1, -100, 3, 0, -100, -100, 2, 2], [0.5, 9.0, 0.25, 0.5, 1.0, 1.0, 0.25, 0.5])
    logits = [1.0, -0.5, 2.0, 0.0, 0.25, 0.5, -3.0, 1.0, NAN, INF, 0.0, -INF, 1.5, 0.5, -0.25, 0.0]
    for reduce in REDUCTIONS:
        group.add(f"padding/{reduce}", FLAG, "ignored-rows-leave-the-mean", "ignored-rows-hold-anything", shape=(4, 4),
                  logits=logits, targets=targets, ignore_index=[-100], smoothing=("uniform", 0.1), reduce=reduce)
    group.add("padding/class-weights/mean", FLAG, "weights-meet-ignore", shape=(4, 4), logits=logits, targets=targets,
              ignore_index=[-100], class_weights=True)
    group.add("padding/a-class/mean", FLAG, "ignored-id-is-a-class", shape=(2, 4), ignore_index=[0],
              targets=sparse([0, 1, 2, 0], [0.5, 0.5, 0.75, 0.25]), smoothing=("uniform", 0.1))
    group.add("padding/several/sum", FLAG, shape=(2, 4), ignore_index=[-1, -100], reduce="sum",
              targets=sparse([-1, 1, -100, -1], [0.5, 0.5, 0.75, 0.25]), smoothing=("uniform", 0.1))
    for empty in ("nan", "zero"):
        group.add(f"padding/all/mean/{empty}", FLAG, "all-rows-ignored", shape=(2, 4), ignore_index=[-1], empty_mean=empty,
                  targets=sparse([-1, -1], [0.5, 0.5]))
    group.add("mask/mean", FLAG, shape=(2, 4), row_mask=[1, 0], targets=sparse([0, 2, 99, -5], [0.5, 0.5, -1.0, NAN]))


def weights(group):
    group.add("row-weights/mean", FLAG, "row-weights", shape=(3, 4), row_weights=True, class_weights=True,
              targets=drawn("row-weights", 3, 4, 2), smoothing=("uniform", 0.1))


def shapes(group):
    for name, shape, axis, rows in (
        ("rank-1", (5,), 0, 1),
        ("axis-0", (5, 3), 0, 3),
        ("rank-3/axis-1", (2, 5, 3), 1, 6),
        ("rank-3/axis-2", (2, 3, 5), 2, 6),
    ):
        for entries in (1, 3):
            group.add(f"{name}/{entries}-entries/none", FLAG, "classes-on-the-class-axis", shape=shape, axis=axis,
                      targets=drawn(name, rows, 5, entries), smoothing=("uniform", 0.1), reduce="none")
    for k in (17, 65, 129, 1025):
        group.add(f"{k}-classes/none", FLAG, "lane-edges", shape=(2, k), targets=drawn(f"{k}", 2, k, 3), reduce="none")
    group.add("more-entries-than-classes/none", FLAG, shape=(2, 3), targets=drawn("more", 2, 3, 7), reduce="none")


def binary(group):
    for kind in BINARY_KINDS:
        targets = sparse([0, 2, 1, 1, 3, 0], [0.5, 1.0, 0.25, 0.5, 0.75, 0.0])
        group.add(f"binary/{kind}/mean", FLAG, "bce-convention", shape=(3, 4), targets=targets, smoothing=(kind, 0.1),
                  **BINARY)


def refusals(group):
    group.refuse("target-out-of-range", "class", FLAG, shape=(2, 3), targets=sparse([0, 1, 3, 0], [0.5] * 4))
    group.refuse("target-out-of-range", "negative", FLAG, shape=(2, 3), targets=sparse([0, -1, 1, 0], [0.5] * 4))
    # Probability 0 does not make a class of what is none.
    group.refuse("target-out-of-range", "probability-0", FLAG, shape=(1, 3), targets=sparse([0, -1], [1.0, 0.0]))
    for name, value in {"negative": -0.25, "nan": NAN, "infinite": INF}.items():
        group.refuse("invalid-targets", name, FLAG, shape=(2, 3), targets=sparse([0, 1, 2, 0], [0.5, 0.5, value, 0.5]))
    group.refuse("invalid-targets", "binary/above-one", FLAG, shape=(1, 3), targets=sparse([0, 1], [0.5, 1.5]), **BINARY)
    group.refuse("invalid-targets", "binary/twice-above-one", FLAG, shape=(1, 3), targets=sparse([1, 1], [0.5, 0.75]),
                 **BINARY)
    group.refuse("target-shape", "no-entry", FLAG, shape=(2, 3), targets=sparse([], []))
    group.refuse("target-shape", "half-an-entry", FLAG, shape=(2, 3), targets=sparse([0, 1, 2], [0.5] * 3))
    group.refuse("target-shape", "fewer-probabilities", FLAG, shape=(2, 3), targets=sparse([0, 1, 2, 0], [1.0, 1.0]))
    for kind in ("uniform_others", "class_rows", "uniform_per_class"):
        group.refuse("invalid-configuration", kind, FLAG, shape=(2, 3), targets=sparse([0, 1], [1.0, 1.0]),
                     smoothing=(kind, 0.1))
    group.refuse("invalid-configuration", "by_target", FLAG, shape=(2, 3), targets=sparse([0, 1], [1.0, 1.0]),
                 class_weights=True, class_weighting="by_target")
