"""Every smoothing kind x every kind of target x every weighting that go together, over all reductions in turn."""

from ..group import INDEX_KINDS, KINDS, REDUCTIONS, WEIGHTINGS


def add_cases(group):
    turn = 0
    for targets in ("indices", "probabilities", "mixed"):
        for kind in KINDS:
            if kind in INDEX_KINDS and targets != "indices":
                continue
            for weighting in (None, *WEIGHTINGS):
                if weighting == "by_target" and targets != "indices":
                    continue
                weights = {} if weighting is None else {"class_weights": True, "class_weighting": weighting}
                for reduce in ("none", [name for name in REDUCTIONS if name != "none"][turn % 5]):
                    masked = {"row_mask": [1, 0, 1]} if turn % 3 == 0 and reduce != "none" else {}
                    group.add(f"{targets}/{kind}/{weighting or 'unweighted'}/{reduce}", "every-combination",
                              targets=targets, smoothing=(kind, [0.1, 0.3, 0.05][turn % 3]), reduce=reduce, **weights,
                              **masked)
                turn += 1
    for weighting in ("by_target", "expected"):
        for targets in ("indices", "probabilities", "loose") if weighting == "expected" else ("indices",):
            group.add(f"{targets}/uniform/{weighting}-without-weights/none", "every-combination", "three-weightings",
                      targets=targets, smoothing=("uniform", 0.1), class_weighting=weighting, reduce="none")
    for targets in ("indices", "probabilities", "mixed"):
        for weighting in ("inside_sum", "expected"):
            group.add(f"{targets}/uniform/{weighting}/weight-0/mean", "every-combination", "zero-mass-costs-nothing",
                      targets=targets, smoothing=("uniform", 0.1), class_weights=[1.0, 0.0, 0.5, 2.0, 0.0],
                      class_weighting=weighting)
    # A distribution whose sum is off 1 by less than 1e-6 is used as it is.
    group.add("indices/distribution/sum-off-by-2^-21/none", "every-combination", "option-silently-unused", shape=(2, 3),
              smoothing={"kind": "distribution", "epsilon": 1.0, "distribution": [0.5, 0.25, 0.25 + 2.0**-21]},
              reduce="none")
    for loss, targets in (("cross_entropy", "indices"), ("binary_cross_entropy", "bits")):
        group.add(f"every-default/{loss}", "every-combination", loss=loss, targets=targets, upstream=None, reduce=None)
