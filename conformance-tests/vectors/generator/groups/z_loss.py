"""The z-loss with everything: z * lse^2 on each counted row, times the row weight and nothing else."""

from ..group import KINDS, MEANS, REDUCTIONS, WEIGHTINGS

Z = ("z-loss-everywhere",)


def add_cases(group):
    for add in (kinds, reductions, targets, weights, values, edges):
        add(group)


def kinds(group):
    for kind in KINDS:
        for reduce in ("none", "mean"):
            group.add(f"{kind}/{reduce}", *Z, smoothing=(kind, 0.2), z_loss=0.125, reduce=reduce)


def reductions(group):
    for reduce in REDUCTIONS:
        group.add(f"ignore/{reduce}", *Z, "z-loss-denominator", shape=(4, 5), ignore_index=[2], z_loss=0.125,
                  reduce=reduce, targets={"kind": "indices", "values": [0, 2, 4, 1]}, smoothing=("uniform", 0.1))
        group.add(f"weights+mask/{reduce}", *Z, "z-loss-denominator", shape=(4, 5), row_mask=[1, 1, 0, 1], z_loss=0.125,
                  class_weights=True, smoothing=("uniform", 0.1), reduce=reduce)


def targets(group):
    for targets in ("probabilities", "loose", "mixed", "one-hot"):
        group.add(f"{targets}/none", *Z, targets=targets, z_loss=0.125, smoothing=("uniform", 0.2), reduce="none")
        group.add(f"{targets}/weights/mean", *Z, "z-loss-denominator", targets=targets, z_loss=0.125,
                  class_weights=True, smoothing=("distribution", 0.2))


def weights(group):
    for weighting in WEIGHTINGS:
        for reduce in ("none", *MEANS):
            group.add(f"{weighting}/{reduce}", *Z, "z-loss-denominator", "three-weightings", class_weights=True,
                      class_weighting=weighting, z_loss=0.125, smoothing=("uniform", 0.2), reduce=reduce)
        group.add(f"{weighting}+row-weights/sum", *Z, "row-weight-times-all", class_weights=True, row_weights=True,
                  class_weighting=weighting, z_loss=0.125, smoothing=("uniform", 0.2), reduce="sum")
    # The row's weight by class is 0, and its z-loss is still there.
    group.add("weight-0-on-the-target/none", *Z, shape=(1, 3), targets={"kind": "indices", "values": [1]}, z_loss=0.125,
              class_weights=[1.0, 0.0, 2.0], smoothing=("none", 0.0), reduce="none")
    group.add("row-weight-0/none", *Z, "row-weight-times-all", shape=(2, 3), row_weights=[0.0, 2.0], z_loss=0.125,
              smoothing=("uniform", 0.2), reduce="none")


def values(group):
    for z in (2.0**-14, 0.0001, 1.0, 16.0):
        group.add(f"factor-{z}/none", *Z, z_loss=z, smoothing=("uniform", 0.1), reduce="none")
    group.add("factor-0/mean", *Z, z_loss=0.0, smoothing=("uniform", 0.1))


def edges(group):
    # lse below, at and above 0: the sign of its gradient, and lse - max taken for lse.
    for name, offset in {"negative": -8.0, "near-0": -2.0, "positive": 24.0}.items():
        group.add(f"lse-{name}/none", *Z, shape=(2, 7), z_loss=0.25, smoothing=("uniform", 0.1), reduce="none",
                  logits=lambda draw, count, offset=offset: [offset + draw.below(17) / 8 for _ in range(count)])
    group.add("one-class/none", *Z, shape=(3, 1), logits=[3.0, -0.5, 0.0], z_loss=0.25, smoothing=("none", 0.0),
              reduce="none")
    group.add("far-ahead/none", *Z, shape=(1, 4), logits=[64.0, 0.0, 1.0, -1.0], z_loss=0.25, smoothing=("none", 0.0),
              targets={"kind": "indices", "values": [0]}, reduce="none")
    group.add("rate-1/none", *Z, "epsilon-edges", z_loss=0.25, smoothing=("uniform", 1.0), reduce="none")
    group.add("rank-3/axis-1/mean", *Z, "classes-on-the-class-axis", shape=(2, 4, 3), axis=1, z_loss=0.25,
              smoothing=("uniform", 0.1))
    for k in (17, 33, 65):
        group.add(f"{k}-classes/none", *Z, "lane-edges", shape=(2, k), z_loss=0.25, smoothing=("uniform", 0.1),
                  reduce="none")
    group.add("every-row-ignored/mean-all", *Z, "all-rows-ignored", shape=(2, 3), ignore_index=[1], z_loss=0.25,
              targets={"kind": "indices", "values": [1, 1]}, smoothing=("uniform", 0.1), reduce="mean-all")
    group.add("every-row-ignored/mean/zero", *Z, "all-rows-ignored", shape=(2, 3), ignore_index=[1], z_loss=0.25,
              targets={"kind": "indices", "values": [1, 1]}, smoothing=("uniform", 0.1), empty_mean="zero")
