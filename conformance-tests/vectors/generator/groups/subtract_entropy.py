"""The entropy of the smoothed target taken off: times the row's weight, the gradient unchanged."""

from ..group import BINARY_KINDS, INF, KINDS, REDUCTIONS, WEIGHTINGS

ENTROPY = ("entropy-of-the-smoothed",)


def add_cases(group):
    for add in (kinds, rates, weights, targets, non_finite, binary):
        add(group)


def kinds(group):
    for kind in KINDS:
        for reduce in ("none", "mean"):
            group.add(f"{kind}/{reduce}", *ENTROPY, smoothing=(kind, 0.1), subtract_entropy=True, reduce=reduce)
    for reduce in REDUCTIONS:
        group.add(f"uniform/ignore/{reduce}", *ENTROPY, "ignored-rows-leave-the-mean", shape=(4, 5),
                  ignore_index=[-100], targets={"kind": "indices", "values": [1, -100, 4, 0]},
                  smoothing=("uniform", 0.25), subtract_entropy=True, reduce=reduce)
    group.add("off/mean", *ENTROPY, smoothing=("uniform", 0.1), subtract_entropy=False)
    group.add("rank-3/axis-1/none", *ENTROPY, "inner-stride", shape=(2, 4, 3), axis=1, smoothing=("class_rows", 0.25),
              subtract_entropy=True, reduce="none")
    group.add("33-classes/none", *ENTROPY, "lane-edges", shape=(2, 33), smoothing=("uniform_others", 0.1),
              subtract_entropy=True, reduce="none")


def rates(group):
    """0 log 0, and the loss that is 0 where the softmax equals the target."""
    for epsilon in (0.0, 2.0**-20, 1.0):
        for kind in KINDS[1:]:
            group.add(f"rate-{epsilon.hex()}/{kind}/none", *ENTROPY, "entropy-zero-mass", smoothing=(kind, epsilon),
                      shape=(2, 4), subtract_entropy=True, reduce="none")
    group.add("at-the-minimum/uniform/rate-1/none", *ENTROPY, shape=(2, 4), logits=[1.5] * 8,
              smoothing=("uniform", 1.0), subtract_entropy=True, reduce="none")
    group.add("zeros-in-a-distribution/none", *ENTROPY, "entropy-zero-mass", shape=(2, 4), subtract_entropy=True,
              smoothing={"kind": "distribution", "epsilon": 1.0, "distribution": [0.5, 0.0, 0.5, 0.0]}, reduce="none")
    group.add("excluded/none", *ENTROPY, "entropy-zero-mass", shape=(2, 4),
              targets={"kind": "indices", "values": [0, 1]}, smoothing=("uniform", 1.0), excluded_classes=[0, 2],
              subtract_entropy=True, reduce="none")


def weights(group):
    for weighting in WEIGHTINGS:
        for reduce in ("none", "mean", "mean-counted"):
            group.add(f"{weighting}/{reduce}", *ENTROPY, "three-weightings", class_weights=True,
                      class_weighting=weighting, smoothing=("uniform", 0.1), subtract_entropy=True, reduce=reduce)
        group.add(f"{weighting}+row-weights/sum", *ENTROPY, "row-weight-times-all", class_weights=True,
                  row_weights=True, class_weighting=weighting, smoothing=("uniform", 0.1), subtract_entropy=True,
                  reduce="sum")
        group.add(f"{weighting}+row-weights+z_loss/mean", *ENTROPY, "row-weight-times-all", class_weights=True,
                  row_weights=True, class_weighting=weighting, smoothing=("uniform_others", 0.2), z_loss=0.0625,
                  subtract_entropy=True)
    for reduce in ("none", "mean"):
        group.add(f"row-weights/{reduce}", *ENTROPY, "row-weight-times-all", row_weights=True,
                  smoothing=("uniform", 0.2), subtract_entropy=True, reduce=reduce)
    group.add("expected/probabilities/mean", *ENTROPY, "three-weightings", class_weights=True,
              class_weighting="expected", targets="probabilities", smoothing=("uniform", 0.2), subtract_entropy=True)
    # The factor of `expected` without class weights is the sum of the target, and multiplies its entropy as well.
    group.add("expected/loose/no-weights/none", *ENTROPY, "unnormalised-targets", class_weighting="expected",
              targets="loose", smoothing=("uniform", 0.2), subtract_entropy=True, reduce="none")


def targets(group):
    for targets in ("probabilities", "loose", "mixed", "one-hot"):
        for kind in ("none", "uniform", "distribution"):
            group.add(f"{targets}/{kind}/none", *ENTROPY, targets=targets, smoothing=(kind, 0.2), subtract_entropy=True,
                      reduce="none")
    group.add("mixed/same-class/none", *ENTROPY, "entropy-zero-mass", shape=(2, 3), smoothing=("none", 0.0),
              targets={"kind": "mixed", "first": [1, 2], "second": [1, 0], "lambda": [0.25, 1.0]},
              subtract_entropy=True, reduce="none")
    group.add("mask/probabilities/mean", *ENTROPY, "ignored-rows-leave-the-mean", targets="probabilities",
              row_mask=[1, 0, 1], smoothing=("uniform", 0.2), subtract_entropy=True)


def non_finite(group):
    logits = [1.0, -INF, 0.5, 2.0, 0.25, -1.0, 2.0, -INF]
    given = {
        "shape": (2, 4),
        "logits": logits,
        "targets": {"kind": "indices", "values": [3, 0]},
        "subtract_entropy": True,
    }
    for kind in ("uniform", "uniform_others", "distribution", "class_rows", "uniform_per_class"):
        group.add(f"restrict_support/{kind}/none", *ENTROPY, "restricted-support", smoothing=(kind, 0.2), reduce="none",
                  non_finite_logits="restrict_support", **given)
    group.add("propagate/infinite/none", *ENTROPY, "infinite-loss-finite-gradient", smoothing=("uniform", 0.2),
              reduce="none", **given)
    group.add("propagate/finite/mean", *ENTROPY, "zero-mass-costs-nothing", smoothing=("none", 0.0), **given)


def binary(group):
    for kind in BINARY_KINDS:
        for targets in ("bits", "soft"):
            group.add(f"binary/{kind}/{targets}/none", *ENTROPY, "binary-units", loss="binary_cross_entropy",
                      shape=(2, 4), targets=targets, smoothing=(kind, 0.2), subtract_entropy=True, reduce="none")
    for kind in ("uniform_half", "uniform_flip", "positives_only"):
        for epsilon in (0.0, 1.0):
            group.add(f"binary/{kind}/rate-{epsilon.hex()}/sum", *ENTROPY, "entropy-zero-mass", shape=(2, 3),
                      loss="binary_cross_entropy", targets="bits", smoothing=(kind, epsilon), subtract_entropy=True,
                      reduce="sum")
    for reduce in ("none", "mean", "mean-counted"):
        group.add(f"binary/class-weights+row-weights/{reduce}", *ENTROPY, "row-weight-times-all", shape=(3, 4),
                  loss="binary_cross_entropy", targets="soft", class_weights=True, row_weights=True,
                  smoothing=("uniform_half", 0.2), subtract_entropy=True, reduce=reduce)
