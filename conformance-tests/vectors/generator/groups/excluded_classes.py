"""Excluded classes: they get no smoothing mass and K counts the others, but they stay in the softmax."""

from ..group import INF, REDUCTIONS, WEIGHTINGS

K = ("excluded-classes-leave-k",)


def indices(*classes):
    return {"kind": "indices", "values": list(classes)}


def add_cases(group):
    for add in (one_and_several, excluded_target, nothing_left, with_other_options, restricted, binary):
        add(group)


def one_and_several(group):
    for kind in ("uniform", "uniform_others"):
        for name, excluded in {
            "first": [0],
            "last": [5],
            "three": [1, 3, 4],
            "unsorted": [4, 0],
            "twice": [2, 2],
        }.items():
            group.add(f"{kind}/{name}/none", *K, "epsilon-over-k", shape=(3, 6), targets=indices(2, 2, 1),
                      reduce="none", smoothing=(kind, 0.1), excluded_classes=excluded)
        for reduce in ("sum", "mean", "mean-counted", "mean-all"):
            group.add(f"{kind}/two/{reduce}", *K, shape=(4, 6), targets=indices(0, 2, 3, 5), reduce=reduce,
                      smoothing=(kind, 0.3), excluded_classes=[1, 4])
        for epsilon in (0.0, 2.0**-20, 1.0):
            group.add(f"{kind}/rate-{epsilon.hex()}/none", *K, "epsilon-edges", targets=indices(1, 2, 4), reduce="none",
                      smoothing=(kind, epsilon), excluded_classes=[0, 3])
        group.add(f"{kind}/none-listed/mean", "epsilon-over-k", smoothing=(kind, 0.1), excluded_classes=[])


def excluded_target(group):
    for kind in ("uniform", "uniform_others"):
        for epsilon in (0.1, 1.0):
            group.add(f"target/{kind}/rate-{epsilon.hex()}/none", *K, "excluded-target", targets=indices(0, 3, 2),
                      reduce="none", smoothing=(kind, epsilon), excluded_classes=[0, 3])
        group.add(f"target/{kind}/only-one-open/none", *K, "excluded-target", targets=indices(0, 1, 2), reduce="none",
                  shape=(3, 3), smoothing=(kind, 0.25), excluded_classes=[0, 2])


def nothing_left(group):
    for kind in ("uniform", "uniform_others"):
        group.add(f"every-class/{kind}/mean", "no-class-left", shape=(3, 4), smoothing=(kind, 0.25),
                  excluded_classes=[0, 1, 2, 3])
        group.add(f"every-class/{kind}/rate-1/none", "no-class-left", shape=(2, 3), smoothing=(kind, 1.0),
                  excluded_classes=[0, 1, 2], reduce="none")
        group.add(f"all-but-the-target/{kind}/none", "no-class-left", shape=(2, 3), targets=indices(1, 1),
                  reduce="none", smoothing=(kind, 0.25), excluded_classes=[0, 2])
    group.add("every-class/probabilities/none", "no-class-left", shape=(2, 3), targets="probabilities", reduce="none",
              smoothing=("uniform", 0.25), excluded_classes=[2, 1, 0])
    group.add("one-class/mean", "no-class-left", shape=(2, 1), smoothing=("uniform", 0.25), excluded_classes=[0])


def with_other_options(group):
    for targets in ("probabilities", "loose", "mixed"):
        for reduce in ("none", "mean"):
            group.add(f"{targets}/{reduce}", *K, targets=targets, smoothing=("uniform", 0.2), excluded_classes=[1, 4],
                      reduce=reduce)
    for kind in ("uniform", "uniform_others"):
        for weighting in WEIGHTINGS:
            group.add(f"{kind}/{weighting}/mean", *K, "three-weightings", smoothing=(kind, 0.2), excluded_classes=[0],
                      class_weights=True, class_weighting=weighting)
        # The padding id of a language model: excluded, and its rows ignored.
        group.add(f"{kind}/padding/mean", *K, "ignored-id-is-a-class", shape=(4, 6), targets=indices(3, 0, 5, 0),
                  smoothing=(kind, 0.1), excluded_classes=[0], ignore_index=[0])
        group.add(f"{kind}/z_loss+entropy+row-weights/sum", *K, smoothing=(kind, 0.2), excluded_classes=[2],
                  z_loss=0.125, subtract_entropy=True, row_weights=True, reduce="sum")
    group.add("rank-3/axis-1/mean", *K, "classes-on-the-class-axis", shape=(2, 4, 3), axis=1,
              smoothing=("uniform", 0.1), excluded_classes=[3])
    group.add("33-classes/none", *K, "lane-edges", shape=(2, 33), smoothing=("uniform", 0.1),
              excluded_classes=[0, 31, 32], reduce="none")
    group.add("large-offset/mean", *K, "shifted-sum", shape=(2, 4), logits=[256.0, 258.0, 254.0, 250.0] * 2,
              smoothing=("uniform", 0.1), excluded_classes=[1])


def restricted(group):
    """An excluded class at -inf leaves K once, not twice; without restrict_support it makes the loss finite."""
    logits = [1.0, -INF, 0.5, 2.0, 0.25, -INF, -1.0, 2.0, 0.25, 0.5]
    for kind in ("uniform", "uniform_others"):
        for name, excluded in {"same": [1], "other": [2], "both": [1, 4]}.items():
            for policy in ("restrict_support", "propagate"):
                if policy == "propagate" and 1 not in excluded:
                    continue
                group.add(f"minus-infinity/{kind}/{name}/{policy}/none", *K, "restricted-support", shape=(1, 5),
                          logits=logits[:5], targets=indices(0), smoothing=(kind, 0.1), excluded_classes=excluded,
                          non_finite_logits=policy, reduce="none")
    group.add("minus-infinity/two-rows/mean", *K, "restricted-support", shape=(2, 5), logits=logits,
              targets=indices(3, 4), smoothing=("uniform", 0.1), excluded_classes=[0, 1],
              non_finite_logits="restrict_support")
    group.add("minus-infinity/no-class-left/none", "no-class-left", "restricted-support", shape=(1, 3),
              logits=[-INF, 0.5, 1.0], targets=indices(1), smoothing=("uniform", 0.1), excluded_classes=[1, 2],
              non_finite_logits="restrict_support", reduce="none")
    group.add("minus-infinity/propagate/mass-left-on-it/none", *K, "infinite-loss-finite-gradient", shape=(1, 5),
              logits=logits[:5], targets=indices(0), smoothing=("uniform", 0.1), excluded_classes=[2], reduce="none")


def binary(group):
    for targets in ("bits", "soft", "indices"):
        for reduce in REDUCTIONS:
            group.add(f"binary/{targets}/{reduce}", *K, "bce-convention", loss="binary_cross_entropy", targets=targets,
                      smoothing=("uniform", 0.2), excluded_classes=[0, 3], reduce=reduce)
    group.add("binary/every-class/mean", "no-class-left", loss="binary_cross_entropy", targets="bits", shape=(2, 3),
              smoothing=("uniform", 0.2), excluded_classes=[0, 1, 2])
    group.add("binary/rate-1/none", *K, "epsilon-edges", loss="binary_cross_entropy", targets="bits", shape=(2, 4),
              smoothing=("uniform", 1.0), excluded_classes=[1], reduce="none")
    group.add("binary/class-weights/mean", *K, loss="binary_cross_entropy", targets="bits", shape=(2, 4),
              smoothing=("uniform", 0.2), excluded_classes=[1], class_weights=True)
