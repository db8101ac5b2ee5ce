"""The kinds of smoothing whose target lies outside 0 to 1, so that the loss is not bounded below."""

from ..group import INF, NAN, REDUCTIONS

BINARY = {"loss": "binary_cross_entropy"}
FLAG = "unbounded-target"


def add_cases(group):
    for add in (unbiased_flip, negative, supports, wide, refusals):
        add(group)


def unbiased_flip(group):
    turn = 0
    for targets in ("bits", "soft", "indices", "mixed"):
        for epsilon in (0.0, 0.1, 0.4375):
            for weighted in (False, True):
                reduce = list(REDUCTIONS)[turn % len(REDUCTIONS)]
                group.add(f"unbiased_flip/rate-{epsilon}/{targets}/{'weighted' if weighted else 'unweighted'}/{reduce}",
                          FLAG, "bce-convention", shape=(3, 4), targets=targets, smoothing=("unbiased_flip", epsilon),
                          reduce=reduce, **BINARY, **{"class_weights": True} if weighted else {})
                turn += 1
    logits = [INF, -INF, 30.0, -30.0, 0.0, 1.0]
    group.add("unbiased_flip/infinite/none", FLAG, "infinite-loss-finite-gradient", shape=(6, 1), logits=logits,
              targets={"kind": "probabilities", "values": [1.0, 0.0, 1.0, 0.0, 1.0, 0.5]}, reduce="none",
              smoothing=("unbiased_flip", 0.25), **BINARY)
    group.add("unbiased_flip/mask/mean", FLAG, shape=(3, 2), targets="bits", row_mask=[1, 0, 1], row_weights=True,
              smoothing=("unbiased_flip", 0.125), **BINARY)


def negative(group):
    turn = 0
    for targets in ("indices", "mixed", "probabilities", "loose"):
        for rate in (-2.0**-10, -0.5, -6.0):
            for weighted in (False, True):
                reduce = list(REDUCTIONS)[turn % len(REDUCTIONS)]
                group.add(f"negative/rate{rate}/{targets}/{'weighted' if weighted else 'unweighted'}/{reduce}", FLAG,
                          shape=(4, 5), targets=targets, smoothing=("negative", rate), reduce=reduce,
                          **{"class_weights": True} if weighted else {})
                turn += 1
    for weighting in ("by_target", "expected"):
        group.add(f"negative/{weighting}/mean", FLAG, "three-weightings", shape=(3, 4), smoothing=("negative", -1.5),
                  class_weights=True, class_weighting=weighting)
    group.add("negative/z-loss/mean", FLAG, shape=(3, 4), smoothing=("negative", -1.5), z_loss=0.0625)
    group.add("negative/one-class/none", FLAG, shape=(3, 1), smoothing=("negative", -1.5), reduce="none")
    group.add("negative/ignored/mean", FLAG, shape=(4, 3), ignore_index=[-100], smoothing=("negative", -0.5),
              targets={"kind": "indices", "values": [0, -100, 2, 1]})
    for k in (16, 33, 129, 1025):
        group.add(f"negative/{k}-classes/none", FLAG, "lane-edges", shape=(2, k), smoothing=("negative", -0.75),
                  reduce="none")


def supports(group):
    logits = [1.0, -INF, 0.5, -INF, 2.0, 0.25, -1.0, 0.0]
    for policy in ("propagate", "restrict_support"):
        group.add(f"negative/{policy}/none", FLAG, "restricted-support", shape=(2, 4), logits=logits, reduce="none",
                  targets={"kind": "indices", "values": [0, 2]}, smoothing=("negative", -0.5), non_finite_logits=policy)


def wide(group):
    """Where the loss runs away: each class's own term, of either sign, is large."""
    logits = [40.0, -40.0, 0.0, -40.0, 40.0, 10.0, 0.0, 0.0, 80.0]
    group.add("negative/wide/none", FLAG, "no-overflow", shape=(3, 3), logits=logits, reduce="none",
              targets={"kind": "indices", "values": [0, 0, 1]}, smoothing=("negative", -3.0))
    group.add("unbiased_flip/wide/none", FLAG, "bce-wide-logits", shape=(9, 1), logits=logits, reduce="none",
              targets={"kind": "probabilities", "values": [1.0, 0.0] * 4 + [0.5]}, smoothing=("unbiased_flip", 0.375),
              **BINARY)


def refusals(group):
    reason = "invalid-smoothing"
    for name, epsilon in {"half": 0.5, "one": 1.0, "negative": -0.125, "nan": NAN}.items():
        group.refuse(reason, f"unbiased_flip/{name}", targets="bits", smoothing=("unbiased_flip", epsilon), **BINARY)
    for name, rate in {"zero": 0.0, "positive": 0.125, "nan": NAN, "infinite": -INF}.items():
        group.refuse(reason, f"negative/{name}", smoothing=("negative", rate))
    reason = "invalid-configuration"
    group.refuse(reason, "unbiased_flip/cross-entropy", smoothing=("unbiased_flip", 0.125))
    group.refuse(reason, "unbiased_flip/subtract_entropy", targets="bits", smoothing=("unbiased_flip", 0.125),
                 subtract_entropy=True, **BINARY)
    group.refuse(reason, "negative/binary", targets="bits", smoothing=("negative", -0.5), **BINARY)
    group.refuse(reason, "negative/subtract_entropy", smoothing=("negative", -0.5), subtract_entropy=True)
    group.refuse(reason, "negative/excluded_classes", smoothing=("negative", -0.5), excluded_classes=[1])
