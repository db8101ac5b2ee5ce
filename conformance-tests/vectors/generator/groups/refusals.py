"""Input that has no loss, one fault a case, and what looks like it and has one."""

from ..group import INF, NAN, BINARY_KINDS

BINARY = {"loss": "binary_cross_entropy", "targets": "bits"}
UNIFORM = ("uniform", 0.1)


def add_cases(group):
    for add in (row_weights, smoothing, class_weights, targets, counts, configurations, binary, empty_means, accepted):
        add(group)


def row_weights(group):
    for name, weights in {
        "negative": [1.0, -0.5, 1.0],
        "nan": [1.0, 1.0, NAN],
        "infinite": [INF, 1.0, 1.0],
        "too-few": [1.0, 2.0],
        "too-many": [1.0] * 4,
        "one-per-class": [1.0] * 5,
        "none": [],
    }.items():
        group.refuse("invalid-row-weights", name, row_weights=weights, smoothing=UNIFORM)
    group.refuse("invalid-row-weights", "binary/one-per-element", row_weights=[1.0] * 15, **BINARY)
    group.refuse("invalid-row-weights", "binary/negative", row_weights=[1.0, -1.0, 1.0], **BINARY)
    group.refuse("invalid-row-weights", "probabilities/negative", row_weights=[1.0, 1.0, -1.0], targets="probabilities")


def smoothing(group):
    reason = "invalid-smoothing"
    half, rest = [0.5, 0.5, 0.0], [0.25, 0.25, 0.5]
    for name, distribution in {
        "nan": [0.5, NAN, 0.5],
        "infinite": [0.5, INF, 0.5],
        "negative": [-0.5, 1.0, 0.5],
        "too-long": [0.25] * 4,
        "too-short": [0.5, 0.5],
        "empty": [],
        "sum-0": [0.0] * 3,
        "sum-off-by-2^-16": [0.5, 0.25, 0.25 + 2.0**-16],
    }.items():
        group.refuse(reason, f"distribution/{name}", shape=(2, 3),
                     smoothing={"kind": "distribution", "epsilon": 0.1, "distribution": distribution})
    for name, rows in {
        "too-few-rows": [half, rest],
        "too-many-rows": [half, rest, half, rest],
        "one-row-too-short": [half, rest, [0.5, 0.5]],
        "one-row-too-long": [half, [0.25] * 4, rest],
        "one-row-nan": [half, [NAN, 0.5, 0.5], rest],
        "one-row-negative": [half, rest, [1.5, -0.5, 0.0]],
        "one-row-sums-to-2": [half, [1.0, 0.5, 0.5], rest],
    }.items():
        group.refuse(reason, f"class_rows/{name}", shape=(2, 3),
                     smoothing={"kind": "class_rows", "epsilon": 0.1, "rows": rows})
    for name, epsilons in {
        "too-few": [0.1, 0.2],
        "too-many": [0.1] * 4,
        "negative": [0.1, -0.1, 0.1],
        "nan": [0.1, 0.1, NAN],
        "above-one": [1.25, 0.1, 0.1],
    }.items():
        group.refuse(reason, f"uniform_per_class/{name}", "rate-is-checked", shape=(2, 3),
                     smoothing={"kind": "uniform_per_class", "epsilons": epsilons})
    for kind in ("uniform", "uniform_others", "distribution", "class_rows"):
        for name, epsilon in {"negative": -0.125, "nan": NAN, "above-one": 1.0 + 2.0**-20, "infinite": INF}.items():
            group.refuse(reason, f"{kind}/rate-{name}", "rate-is-checked", shape=(2, 3), smoothing=(kind, epsilon))
    for kind in BINARY_KINDS[3:]:
        for name, epsilon in {"negative": -0.125, "nan": NAN, "above-one": 1.5}.items():
            group.refuse(reason, f"{kind}/rate-{name}", "rate-is-checked", shape=(2, 3), smoothing=(kind, epsilon),
                         **BINARY)
    group.refuse(reason, "binary/distribution/too-short", shape=(2, 3), **BINARY,
                 smoothing={"kind": "distribution", "epsilon": 0.1, "distribution": [0.5, 0.5]})


def class_weights(group):
    for name, weights in {"infinite": [1.0, INF, 1.0], "negative": [1.0, 1.0, -(2.0**-30)]}.items():
        for targets in ("indices", "probabilities", "mixed"):
            group.refuse("invalid-class-weights", f"{targets}/{name}", shape=(2, 3), targets=targets,
                         class_weights=weights)
    for name, weights in {"too-many": [1.0] * 4, "empty": []}.items():
        group.refuse("class-weight-count", name, shape=(2, 3), class_weights=weights)
    group.refuse("class-weight-count", "one-per-row-and-not-per-class", shape=(2, 3), axis=0, class_weights=[1.0] * 3)


def targets(group):
    def mixed(first=(0, 1), second=(2, 2), share=(0.5, 0.5)):
        return {"kind": "mixed", "first": list(first), "second": list(second), "lambda": list(share)}

    for name, share in {
        "negative": (0.5, -0.25),
        "above-one": (1.25, 0.5),
        "nan": (NAN, 0.5),
        "infinite": (0.5, INF),
    }.items():
        group.refuse("invalid-targets", f"lambda-{name}", shape=(2, 3), targets=mixed(share=share))
    for name, value in {"negative": -0.25, "nan": NAN, "infinite": INF}.items():
        group.refuse("invalid-targets", f"probability-{name}", shape=(2, 3),
                     targets={"kind": "probabilities", "values": [0.5, 0.25, 0.25, 0.5, 0.5, value]})
        group.refuse("invalid-targets", f"binary/probability-{name}", shape=(2, 3), loss="binary_cross_entropy",
                     targets={"kind": "probabilities", "values": [value, 0.25, 0.25, 0.5, 0.5, 1.0]})
    group.refuse("invalid-targets", "binary/probability-above-one", shape=(2, 3), loss="binary_cross_entropy",
                 targets={"kind": "probabilities", "values": [0.5, 0.25, 1.0 + 2.0**-7, 0.5, 0.5, 0.0]})
    group.refuse("target-out-of-range", "mixed/first", shape=(2, 3), targets=mixed(first=(3, 0)))
    group.refuse("target-out-of-range", "mixed/second-negative", shape=(2, 3), targets=mixed(second=(0, -1)))
    # Even where lambda gives it no share.
    group.refuse("target-out-of-range", "mixed/without-a-share", shape=(2, 3),
                 targets=mixed(second=(0, 7), share=(0.5, 1.0)))
    group.refuse("target-out-of-range", "binary/indices", shape=(2, 3), loss="binary_cross_entropy",
                 targets={"kind": "indices", "values": [0, 3]})
    group.refuse("target-out-of-range", "2^32-more-than-a-class", shape=(2, 3),
                 targets={"kind": "indices", "values": [0, 2**32 + 1]})
    group.refuse("target-out-of-range", "256-more-than-a-class", shape=(2, 3),
                 targets={"kind": "indices", "values": [257, 0]})
    group.refuse("target-out-of-range", "another-id-than-the-ignored", shape=(2, 3), ignore_index=[-100, 255],
                 targets={"kind": "indices", "values": [-100, -99]})


def counts(group):
    given = {"shape": (2, 3), "smoothing": UNIFORM}
    for name, reduce, upstream in (
        ("none/too-few", "none", [1.0]),
        ("none/too-many", "none", [1.0] * 3),
        ("none/one-per-logit", "none", [1.0] * 6),
        ("mean/one-per-row", "mean", [1.0, 1.0]),
        ("sum/one-per-row", "sum", [1.0, 1.0]),
    ):
        group.refuse("upstream-shape", name, reduce=reduce, upstream=upstream, **given)
    group.refuse("upstream-shape", "binary/one-per-row", reduce="none", upstream=[1.0, 1.0], shape=(2, 3), **BINARY)
    group.refuse("target-shape", "mixed/lambda-too-short", **given,
                 targets={"kind": "mixed", "first": [0, 1], "second": [1, 2], "lambda": [0.5]})
    group.refuse("target-shape", "indices/one-per-logit", targets={"kind": "indices", "values": [0] * 6}, **given)
    group.refuse("target-shape", "indices/rank-1-of-two", shape=(3,), targets={"kind": "indices", "values": [0, 1]})
    group.refuse("target-shape", "probabilities/too-many", targets={"kind": "probabilities", "values": [0.25] * 7},
                 **given)
    group.refuse("mask-shape", "too-long", row_mask=[1, 1, 1], **given)
    group.refuse("mask-shape", "binary/one-per-element", row_mask=[1] * 6, shape=(2, 3), **BINARY)
    group.refuse("no-classes", "no-rows-either", shape=(0, 0))
    group.refuse("no-classes", "axis-0", shape=(0, 4), axis=0, targets={"kind": "probabilities", "values": []})


def configurations(group):
    reason = "invalid-configuration"
    for kind in ("distribution", "class_rows", "uniform_per_class"):
        group.refuse(reason, f"excluded_classes-with-{kind}", smoothing=(kind, 0.1), excluded_classes=[1])
    for kind in ("uniform", "uniform_others"):
        group.refuse(reason, f"excluded-class-out-of-range/{kind}", smoothing=(kind, 0.1), excluded_classes=[0, 5])
    group.refuse(reason, "excluded-class-out-of-range/axis-0", shape=(3, 5), axis=0, smoothing=UNIFORM,
                 excluded_classes=[3])
    for name, value in {"negative": -0.125, "nan": NAN, "infinite": INF}.items():
        group.refuse(reason, f"z_loss-{name}", smoothing=UNIFORM, z_loss=value)
    for name, value in {"negative": -1.0, "nan": NAN, "infinite": INF, "minus-infinite": -INF}.items():
        group.refuse(reason, f"constant-denominator-{name}", smoothing=UNIFORM, denominator={"constant": value})
    for targets in ("probabilities", "mixed"):
        group.refuse(reason, f"ignore_index-with-{targets}", targets=targets, ignore_index=[-100])
        group.refuse(reason, f"by_target-with-{targets}", targets=targets, class_weights=True,
                     class_weighting="by_target")
        for kind in ("uniform_others", "class_rows", "uniform_per_class"):
            group.refuse(reason, f"{kind}-with-{targets}", targets=targets, smoothing=(kind, 0.1))
    for kind in BINARY_KINDS[3:]:
        group.refuse(reason, f"{kind}-with-cross_entropy", smoothing=(kind, 0.1))


def binary(group):
    reason = "invalid-configuration"
    group.refuse(reason, "binary/z_loss", z_loss=0.125, **BINARY)
    group.refuse(reason, "binary/restrict_support", non_finite_logits="restrict_support", smoothing=UNIFORM, **BINARY)
    for weighting in ("by_target", "expected"):
        group.refuse(reason, f"binary/{weighting}", loss="binary_cross_entropy", targets="indices", class_weights=True,
                     class_weighting=weighting)
    for kind in ("uniform_others", "class_rows", "uniform_per_class"):
        group.refuse(reason, f"binary/{kind}", loss="binary_cross_entropy", targets="indices", smoothing=(kind, 0.1))
    group.refuse(reason, "binary/ignore_index-with-probabilities", ignore_index=[0], **BINARY)
    group.refuse(reason, "binary/excluded-class-out-of-range", smoothing=UNIFORM, excluded_classes=[5], **BINARY)
    group.refuse(reason, "binary/excluded_classes-with-distribution", smoothing=("distribution", 0.1),
                 excluded_classes=[0], **BINARY)


def empty_means(group):
    given = {"empty_mean": "error", "smoothing": UNIFORM}
    group.refuse("empty-mean", "row-weights-0", row_weights=[0.0] * 3, **given)
    group.refuse("empty-mean", "row-weights-0-where-counted", row_weights=[0.0, 1.0, 0.0], row_mask=[1, 0, 1], **given)
    group.refuse("empty-mean", "class-weights-0", class_weights=[0.0] * 5, **given)
    group.refuse("empty-mean", "constant-0", denominator={"constant": 0.0}, **given)
    group.refuse("empty-mean", "all-of-no-rows", shape=(0, 3), reduce="mean-all", **given)
    group.refuse("empty-mean", "binary/every-row-masked", row_mask=[0, 0, 0], empty_mean="error", **BINARY)


def accepted(group):
    """Near to what is refused, but fine."""
    group.add("accepted/empty-mean/row-weights-0/mean-counted", "one-fault", row_weights=[0.0] * 3,
              reduce="mean-counted", empty_mean="error", smoothing=UNIFORM)
    group.add("accepted/empty-mean/every-row-masked/mean-all", "one-fault", row_mask=[0, 0, 0], reduce="mean-all",
              empty_mean="error", smoothing=UNIFORM)
    for reduce in ("sum", "none"):
        group.add(f"accepted/empty-mean/every-row-masked/{reduce}", "one-fault", row_mask=[0, 0, 0], reduce=reduce,
                  empty_mean="error", smoothing=UNIFORM)
    group.add("accepted/lambda-0-and-1/mean", "one-fault", shape=(2, 3),
              targets={"kind": "mixed", "first": [0, 1], "second": [2, 0], "lambda": [0.0, 1.0]}, smoothing=UNIFORM)
    group.add("accepted/binary/probabilities-0-and-1/mean", "one-fault", shape=(2, 2), loss="binary_cross_entropy",
              targets={"kind": "probabilities", "values": [0.0, 1.0, 1.0, 0.0]})
    group.add("accepted/probabilities-above-one/mean", "one-fault", "unnormalised-targets", shape=(2, 2),
              targets={"kind": "probabilities", "values": [3.0, 0.0, 1.5, 2.0]}, smoothing=UNIFORM)
    group.add("accepted/rate-1/uniform_others/mean", "one-fault", "epsilon-edges", smoothing=("uniform_others", 1.0))
    group.add("accepted/ignore_index-empty/probabilities/mean", "one-fault", targets="probabilities", ignore_index=[])
    group.add("accepted/ignored-id-of-63-bits/mean", "one-fault", shape=(2, 3), ignore_index=[-(2**63)],
              smoothing=UNIFORM, targets={"kind": "indices", "values": [1, -(2**63)]})
    group.add("accepted/masked-lambda/mean", "one-fault", "ignored-rows-hold-anything", shape=(2, 3), row_mask=[1, 0],
              targets={"kind": "mixed", "first": [0, 9], "second": [1, 9], "lambda": [0.25, 7.0]}, smoothing=UNIFORM)
    group.add("accepted/constant-0-of-a-sum/sum", "one-fault", denominator={"constant": 0.0}, reduce="sum",
              smoothing=UNIFORM)
