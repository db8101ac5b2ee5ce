"""Row weights: in the loss, the gradient and the denominator `weights`, with every kind of target and class weights."""

from ..group import INF, MEANS, NAN, REDUCTIONS, WEIGHTINGS

SMOOTHED = {"smoothing": ("uniform", 0.1)}


def add_cases(group):
    for add in (plain_and_weighted, ignored, kinds_of_targets, zero, with_other_terms):
        add(group)


def plain_and_weighted(group):
    for reduce in REDUCTIONS:
        group.add(f"indices/{reduce}", "row-weights", row_weights=True, reduce=reduce, **SMOOTHED)
    for weighting in WEIGHTINGS:
        for reduce in ("none", "mean", "mean-counted"):
            group.add(f"{weighting}/{reduce}", "row-weights", "weighted-mean", shape=(4, 5), row_weights=True,
                      class_weights=True, class_weighting=weighting, reduce=reduce, **SMOOTHED)
    group.add("one-row/mean", "row-weights", shape=(1, 4), row_weights=[3.0], **SMOOTHED)
    group.add("rank-1/mean", "row-weights", shape=(4,), row_weights=[0.375], class_weights=True, **SMOOTHED)
    group.add("rank-3/axis-1/mean", "row-weights", "inner-stride", shape=(2, 4, 3), axis=1, row_weights=True,
              **SMOOTHED)
    group.add("rank-3/axis-0/none", "row-weights", "inner-stride", shape=(4, 3, 2), axis=0, row_weights=True,
              reduce="none", **SMOOTHED)
    group.add("far-apart/mean", "row-weights", row_weights=[2.0**-20, 2.0**20, 1.0], **SMOOTHED)
    group.add("far-apart/none", "row-weights", row_weights=[2.0**-20, 2.0**20, 1.0], reduce="none", **SMOOTHED)
    group.add("ones/mean", "row-weights", row_weights=[1.0, 1.0, 1.0], **SMOOTHED)


def ignored(group):
    for reduce in ["none", *MEANS]:
        group.add(f"ignore/{reduce}", "row-weights", "ignored-rows-leave-the-mean", shape=(4, 3), row_weights=True,
                  targets={"kind": "indices", "values": [2, -100, 0, 1]}, ignore_index=[-100], reduce=reduce,
                  **SMOOTHED)
    for reduce in MEANS:
        group.add(f"ignore+class-weights/{reduce}", "row-weights", "weights-meet-ignore", shape=(4, 3),
                  row_weights=True, targets={"kind": "indices", "values": [2, 0, 1, 0]}, ignore_index=[0],
                  class_weights=True, class_weighting="expected", reduce=reduce, **SMOOTHED)
        group.add(f"mask+probabilities/{reduce}", "row-weights", "ignored-rows-leave-the-mean", shape=(4, 3),
                  row_weights=True, row_mask=[1, 1, 0, 1], targets="probabilities", class_weights=True, reduce=reduce,
                  **SMOOTHED)


def kinds_of_targets(group):
    for targets in ("probabilities", "loose", "mixed"):
        for weighting in ("inside_sum", "expected"):
            group.add(f"{targets}/{weighting}/mean", "row-weights", "weighted-mean", targets=targets, row_weights=True,
                      class_weights=True, class_weighting=weighting, **SMOOTHED)
        group.add(f"{targets}/none", "row-weights", targets=targets, row_weights=True, reduce="none", **SMOOTHED)
    for reduce in REDUCTIONS:
        group.add(f"binary/{reduce}", "row-weights", "binary-units", loss="binary_cross_entropy", shape=(4, 3),
                  targets="bits", smoothing=("uniform_half", 0.1), row_weights=True, reduce=reduce)
    for reduce in MEANS:
        group.add(f"binary/class-weights+mask/{reduce}", "row-weights", "binary-units", loss="binary_cross_entropy",
                  shape=(4, 3), targets="soft", smoothing=("uniform", 0.25), row_weights=True, class_weights=True,
                  row_mask=[0, 1, 1, 1], reduce=reduce)


def zero(group):
    one, every = [1.5, 0.0, 0.5], [0.0, 0.0, 0.0]
    for reduce in REDUCTIONS:
        group.add(f"zero/one-row/{reduce}", "row-weights", "row-weight-zero-counts", row_weights=one, reduce=reduce,
                  **SMOOTHED)
        group.add(f"zero/every-row/{reduce}", "row-weights", "row-weight-zero-counts", row_weights=every, reduce=reduce,
                  **SMOOTHED)
    group.add("zero/every-row/mean/zero", "row-weight-zero-counts", row_weights=every, empty_mean="zero", **SMOOTHED)
    group.add("zero/every-counted-row/mean/zero", "row-weight-zero-counts", row_weights=[0.0, 2.0, 0.0],
              row_mask=[1, 0, 1], empty_mean="zero", **SMOOTHED)
    group.add("zero/binary/mean-counted", "row-weight-zero-counts", "binary-units", loss="binary_cross_entropy",
              targets="bits", row_weights=one, reduce="mean-counted", smoothing=("uniform_flip", 0.1))
    # 0 times an infinite cross entropy: the mass is 0, and costs nothing. A NaN logit is NaN whatever its weight.
    group.add("zero/infinite-loss/none", "row-weight-zero-counts", "zero-mass-costs-nothing", shape=(2, 3),
              logits=[1.0, -INF, 0.5, 0.25, -1.0, 2.0], targets={"kind": "indices", "values": [1, 1]},
              row_weights=[0.0, 2.0], reduce="none", **SMOOTHED)
    group.add("zero/nan-row/none", "row-weight-zero-counts", "one-bad-row", shape=(2, 3),
              logits=[1.0, NAN, 0.5, 0.25, -1.0, 2.0], targets={"kind": "indices", "values": [0, 1]},
              row_weights=[0.0, 2.0], reduce="none", **SMOOTHED)


def with_other_terms(group):
    for reduce in ("none", "sum", "mean", "mean-counted"):
        group.add(f"z_loss/{reduce}", "row-weight-times-all", row_weights=True, z_loss=2.0**-7, reduce=reduce,
                  **SMOOTHED)
        group.add(f"subtract_entropy/{reduce}", "row-weight-times-all", row_weights=True, subtract_entropy=True,
                  reduce=reduce, **SMOOTHED)
    group.add("z_loss+subtract_entropy+by_target/mean", "row-weight-times-all", row_weights=True, z_loss=2.0**-7,
              subtract_entropy=True, class_weights=True, class_weighting="by_target", **SMOOTHED)
    group.add("restrict_support/mean", "row-weights", "restricted-support", row_weights=True, shape=(2, 4),
              logits=[1.0, -INF, 0.5, 2.0, -INF, -1.0, 2.0, 0.25], targets={"kind": "indices", "values": [0, 3]},
              non_finite_logits="restrict_support", **SMOOTHED)
    for kind in ("none", "uniform_others", "distribution", "class_rows", "uniform_per_class"):
        group.add(f"{kind}/mean", "row-weights", row_weights=True, class_weights=True, smoothing=(kind, 0.25))
