"""-inf columns in many places, and NaN and +inf rows next to good ones."""

from ..group import INF, KINDS, NAN, WEIGHTINGS


def indices(*classes):
    return {"kind": "indices", "values": list(classes)}


def gone(*columns, classes):
    """Logits with -inf in these columns of every row."""
    return lambda draw, count: [-INF if i % classes in columns else z for i, z in enumerate(draw.logits(count))]


PLACES = {"first": (0,), "last": (5,), "middle": (2, 3), "both-ends": (0, 5), "all-but-two": (0, 2, 3, 5)}
# Rows that have no loss, in the middle of good ones.
BAD_ROWS = {
    "nan-first": [NAN, 0.5, 1.0],
    "nan-last": [0.5, 1.0, NAN],
    "nan-everywhere": [NAN] * 3,
    "plus-infinity": [0.5, INF, 1.0],
    "two-plus-infinities": [INF, 0.0, INF],
    "all-minus-infinity": [-INF] * 3,
    "nan+minus-infinity": [-INF, NAN, 1.0],
    "all-sorts": [NAN, INF, -INF],
    "nan-under-the-maximum": [100.0, NAN, -100.0],
}
GOOD = [1.0, -0.5, 2.0]


def add_cases(group):
    for add in (places, support, where_the_mass_is, weights, bad_rows, not_counted, empty_means):
        add(group)


def places(group):
    for name, columns in PLACES.items():
        given = {"shape": (2, 6), "logits": gone(*columns, classes=6), "targets": indices(1, 4), "reduce": "none"}
        flags = ("minus-infinity-anywhere",)
        group.add(f"{name}/no-mass-there/none", *flags, "zero-mass-costs-nothing", smoothing=("none", 0.0), **given)
        group.add(f"{name}/propagate/none", *flags, "infinite-loss-finite-gradient", smoothing=("uniform", 0.1),
                  **given)
        group.add(f"{name}/restrict_support/none", *flags, "restricted-support", smoothing=("uniform", 0.1),
                  non_finite_logits="restrict_support", **given)
        group.add(f"{name}/restrict_support/uniform_others/none", *flags, "restricted-support", "epsilon-over-k",
                  smoothing=("uniform_others", 0.1), non_finite_logits="restrict_support", **given)


def support(group):
    """restrict_support with every kind, rate 1, and the hard part where no probability is."""
    given = {
        "shape": (3, 5),
        "non_finite_logits": "restrict_support",
        "logits": [-INF, 1.0, 0.5, -2.0, 0.25, 1.0, 2.0, 3.0, 0.5, 0.0, 0.5, -INF, -INF, -1.0, -INF],
    }
    for kind in KINDS:
        for epsilon in (0.25, 1.0):
            group.add(f"support/{kind}/rate-{epsilon}/none", "restricted-support", targets=indices(2, 0, 3),
                      reduce="none", smoothing=(kind, epsilon), **given)
        group.add(f"support/{kind}/target-gone/none", "restricted-support", "infinite-loss-finite-gradient",
                  reduce="none", targets=indices(0, 4, 1), smoothing=(kind, 0.25), **given)
    for targets in ("probabilities", "loose", "mixed"):
        for kind in ("none", "uniform", "distribution"):
            group.add(f"support/{targets}/{kind}/none", "restricted-support", targets=targets, smoothing=(kind, 0.25),
                      reduce="none", **given)
    # The distribution has no mass where the logits are finite: it stays with the hard part.
    group.add("support/distribution/nothing-left/none", "no-class-left", shape=(1, 3), logits=[-INF, 1.0, 0.5],
              targets=indices(1), non_finite_logits="restrict_support", reduce="none",
              smoothing={"kind": "distribution", "epsilon": 0.25, "distribution": [1.0, 0.0, 0.0]})
    group.add("support/only-one-class/mean", "no-class-left", shape=(1, 3), logits=[-INF, 1.0, -INF],
              targets=indices(1), non_finite_logits="restrict_support", smoothing=("uniform_others", 0.25))


def where_the_mass_is(group):
    """A class at -inf costs nothing without mass and makes the loss infinite with any."""
    row = [-INF, 1.0, 0.5]
    for name, share in {"none": 0.0, "a-little": 2.0**-7, "all": 1.0}.items():
        flag = "infinite-loss-finite-gradient" if share else "zero-mass-costs-nothing"
        group.add(f"mass/probabilities/{name}/none", flag, shape=(1, 3), logits=row, reduce="none",
                  targets={"kind": "probabilities", "values": [share, 1.0 - share, 0.0]})
        group.add(f"mass/distribution/{name}/none", flag, shape=(1, 3), logits=row, targets=indices(1), reduce="none",
                  smoothing={"kind": "distribution", "epsilon": 0.5, "distribution": [share, 1.0 - share, 0.0]})
        group.add(f"mass/mixed/{name}/none", flag, shape=(1, 3), logits=row, reduce="none",
                  targets={"kind": "mixed", "first": [0], "second": [2], "lambda": [share]})
        group.add(
            f"mass/class_rows/{name}/none",
            flag,
            shape=(1, 3),
            logits=row,
            targets=indices(2),
            reduce="none",
            smoothing={
                "kind": "class_rows",
                "epsilon": 0.5,
                "rows": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [share, 0.0, 1.0 - share]],
            },
        )
    for reduce in ("sum", "mean", "mean-counted"):
        group.add(f"mass/one-row-of-three/{reduce}", "infinite-loss-finite-gradient", shape=(3, 3),
                  targets=indices(0, 1, 2), logits=[1.0, 0.5, 0.25, 0.5, -INF, 1.0, 2.0, -1.0, 0.0],
                  smoothing=("none", 0.0), reduce=reduce)


def weights(group):
    """A weight of 0 takes the mass from a class at -inf."""
    given = {"shape": (2, 4), "logits": gone(2, classes=4), "targets": indices(0, 3), "smoothing": ("uniform", 0.1)}
    for weighting in WEIGHTINGS:
        for where, weight in {"0-there": [1.0, 0.5, 0.0, 2.0], "0-elsewhere": [1.0, 0.0, 0.5, 2.0]}.items():
            group.add(f"weights/{weighting}/{where}/none", "zero-mass-costs-nothing", class_weights=weight,
                      class_weighting=weighting, reduce="none", **given)
    group.add("weights/target-gone-and-weight-0/none", "zero-mass-costs-nothing", class_weights=[1.0, 0.5, 0.0, 2.0],
              reduce="none", **{**given, "targets": indices(2, 2), "smoothing": ("none", 0.0)})
    group.add("z_loss/none", "minus-infinity-anywhere", "z-loss-everywhere", z_loss=0.125, reduce="none",
              **{**given, "smoothing": ("none", 0.0)})
    group.add("z_loss/infinite/none", "infinite-loss-finite-gradient", "z-loss-everywhere", z_loss=0.125, reduce="none",
              **given)


def bad_rows(group):
    for name, row in BAD_ROWS.items():
        given = {"shape": (3, 3), "logits": [*GOOD, *row, *reversed(GOOD)], "targets": indices(2, 1, 0)}
        group.add(f"bad-row/{name}/none", "one-bad-row", smoothing=("none", 0.0), reduce="none", **given)
        group.add(f"bad-row/{name}/uniform/none", "one-bad-row", smoothing=("uniform", 0.1), reduce="none", **given)
        group.add(f"bad-row/{name}/restrict_support/mean", "one-bad-row", "restricted-support",
                  smoothing=("uniform", 0.1), non_finite_logits="restrict_support", **given)
        group.add(f"bad-row/{name}/probabilities/mean-counted", "one-bad-row", smoothing=("distribution", 0.1),
                  **{**given, "targets": "probabilities"}, reduce="mean-counted")
    for place in (0, 15, 16, 31, 32):
        row = [NAN if c == place else c / 16 for c in range(33)]
        group.add(f"bad-row/nan-in-column-{place}-of-33/none", "one-bad-row", "lane-edges", shape=(2, 33),
                  reduce="none", logits=[*row, *(c / 8 for c in range(33))], targets=indices(3, 30),
                  smoothing=("uniform", 0.1))
    for value, name in ((NAN, "nan"), (INF, "plus-infinity"), (-INF, "minus-infinity")):
        group.add(f"one-class/{name}/none", "one-bad-row", shape=(2, 1), logits=[value, 1.0], smoothing=("none", 0.0),
                  reduce="none")
    group.add("nan-and-infinite-loss/mean", "one-bad-row", "infinite-loss-finite-gradient", shape=(2, 3),
              logits=[NAN, 0.5, 1.0, -INF, 0.5, 1.0], targets=indices(0, 0), smoothing=("none", 0.0))


def not_counted(group):
    """The same rows ignored or masked: exactly 0."""
    flags = ("ignored-rows-hold-anything", "one-bad-row")
    for name, row in BAD_ROWS.items():
        given = {"shape": (3, 3), "logits": [*GOOD, *row, *reversed(GOOD)], "smoothing": ("uniform", 0.1)}
        group.add(f"not-counted/{name}/ignore/mean", *flags, targets=indices(2, -100, 0), ignore_index=[-100],
                  z_loss=0.125, **given)
        group.add(f"not-counted/{name}/mask/none", *flags, targets="probabilities", row_mask=[1, 0, 1], reduce="none",
                  **given)
    group.add("not-counted/nan-probabilities/mean", *flags, shape=(2, 3), logits=[*GOOD, NAN, NAN, NAN],
              row_mask=[1, 0], targets={"kind": "probabilities", "values": [0.25, 0.75, 0.0, NAN, INF, -1.0]},
              smoothing=("uniform", 0.1))
    group.add("not-counted/any-mixed/mean", *flags, shape=(2, 3), logits=[*GOOD, NAN, INF, NAN], row_mask=[1, 0],
              targets={"kind": "mixed", "first": [0, -7], "second": [2, 99], "lambda": [0.5, NAN]},
              smoothing=("uniform", 0.1))


def empty_means(group):
    """A mean over nothing has gradient 0, whatever its rows hold."""
    for name, nothing in {
        "constant": {"denominator": {"constant": 0.0}},
        "weights": {"class_weights": [0.0, 0.0, 1.0]},
    }.items():
        for empty in ("nan", "zero"):
            group.add(f"empty-mean/{name}/nan-row/{empty}", "all-rows-ignored", "one-bad-row",
                      smoothing=("uniform", 0.1), shape=(2, 3), logits=[*GOOD, NAN, 0.5, 1.0], targets=indices(0, 1),
                      empty_mean=empty, **nothing)
    group.add("empty-mean/all/every-row-masked", "all-rows-ignored", shape=(2, 3), row_mask=[0, 0], reduce="mean-all",
              smoothing=("uniform", 0.1))
    group.add("empty-mean/constant/every-row-masked", "all-rows-ignored", shape=(2, 3), row_mask=[0, 0],
              reduce="mean-constant", smoothing=("uniform", 0.1))
