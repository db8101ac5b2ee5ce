"""Numbers of classes and of rows around vector registers (16, 32, 64) and groups of rows."""

from ..group import INF
from ..numbers import f32

WIDTHS = [1, 2, 3, 15, 16, 17, 31, 32, 33, 63, 64, 65]
HEIGHTS = [1, 2, 15, 16, 17, 31, 32, 33, 47]


def lead(place, classes, height=6.0):
    """Logits of which one column is ahead."""
    return lambda draw, count: [height if i % classes == place else z for i, z in enumerate(draw.logits(count))]


def add_cases(group):
    for add in (classes, places, holes, rows):
        add(group)


def classes(group):
    for k in WIDTHS:
        group.add(f"{k}-classes/none/none", "lane-edges", shape=(2, k), smoothing=("none", 0.0), reduce="none")
        group.add(f"{k}-classes/uniform/mean", "lane-edges", shape=(2, k), smoothing=("uniform", 0.1))
        group.add(f"{k}-classes/distribution/none", "lane-edges", shape=(2, k), smoothing=("distribution", 0.1),
                  class_weights=True, reduce="none")
        group.add(f"{k}-classes/probabilities/sum", "lane-edges", shape=(2, k), targets="probabilities",
                  smoothing=("uniform", 0.1), reduce="sum")
        group.add(f"{k}-classes/float32/none", "lane-edges", shape=(1, k), smoothing=("uniform", 0.1),
                  logits=lambda draw, count: draw.logits(count, 8.0, f32), reduce="none")
        if k > 1:
            group.add(f"{k}-classes/uniform_others/mean", "lane-edges", shape=(2, k), smoothing=("uniform_others", 0.1),
                      class_weights=True, class_weighting="expected")


def places(group):
    """The maximum, and the target, in the tail."""
    for k in (17, 33, 65):
        for name, place in {"first": 0, "last": k - 1}.items():
            for target, where in {"there": place, "elsewhere": k // 2}.items():
                group.add(f"{k}-classes/maximum-{name}/target-{target}/none", "lane-edges", "maximum-anywhere",
                          shape=(1, k), logits=lead(place, k), targets={"kind": "indices", "values": [where]},
                          smoothing=("uniform", 0.1), reduce="none")


def holes(group):
    """-inf in all of a register, or in all but the tail."""
    for k, gone in (
        (33, range(0, 32)),
        (33, range(32, 33)),
        (48, range(16, 32)),
        (65, range(0, 64)),
        (40, range(0, 40, 2)),
    ):

        def logits(draw, count, k=k, gone=gone):
            return [-INF if i % k in gone else z for i, z in enumerate(draw.logits(count))]

        name = f"{k}-classes/minus-infinity-{gone.start}-to-{gone[-1]}-by-{gone.step}"
        target = next(c for c in range(k) if c not in gone)
        given = {
            "shape": (1, k),
            "logits": logits,
            "targets": {"kind": "indices", "values": [target]},
            "reduce": "none",
        }
        flags = ("lane-edges", "minus-infinity-anywhere")
        group.add(f"{name}/none", *flags, smoothing=("none", 0.0), **given)
        group.add(f"{name}/restrict_support", *flags, smoothing=("uniform", 0.1), non_finite_logits="restrict_support",
                  **given)
        group.add(f"{name}/propagate", *flags, "infinite-loss-finite-gradient", smoothing=("uniform", 0.1), **given)


def rows(group):
    for n in HEIGHTS:
        group.add(f"{n}-rows/indices/none", "row-groups", shape=(n, 3), smoothing=("uniform", 0.1), reduce="none")
        group.add(f"{n}-rows/probabilities/mean", "row-groups", shape=(n, 4), targets="probabilities",
                  smoothing=("none", 0.0), class_weights=True)
        group.add(f"{n}-rows/ignore/mean", "row-groups", "ignored-rows-leave-the-mean", shape=(n, 5), ignore_index=[3],
                  smoothing=("uniform_others", 0.1))
        group.add(f"{n}-rows/binary/mean", "row-groups", loss="binary_cross_entropy", shape=(n, 3), targets="bits",
                  smoothing=("uniform_half", 0.1))
    for k in (1, 2, 8, 10, 16, 24):
        group.add(f"17-rows-of-{k}/mean", "row-groups", shape=(17, k), smoothing=("uniform", 0.1), row_weights=True)
