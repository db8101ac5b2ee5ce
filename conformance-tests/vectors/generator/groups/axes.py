"""The class axis first, in the middle and last, with few and many elements between the classes of a row."""

from ..group import KINDS

INNER = [1, 3, 16, 17]
TARGETS = ["indices", "probabilities", "mixed"]


def add_cases(group):
    flags = ("inner-stride", "classes-on-the-class-axis")
    for i, inner in enumerate(INNER):
        for j, targets in enumerate(TARGETS):
            kind = KINDS[(i + j) % 6] if targets == "indices" else ["uniform", "distribution"][(i + j) % 2]
            group.add(f"first/{targets}/inner-{inner}/none", *flags, shape=(4, inner), axis=0, targets=targets,
                      smoothing=(kind, 0.1), reduce="none")
            group.add(f"middle/{targets}/inner-{inner}/mean", *flags, shape=(2, 3, inner), axis=1, targets=targets,
                      smoothing=(kind, 0.2), class_weights=True)
        group.add(f"middle/17-classes/inner-{inner}/sum", *flags, shape=(1, 17, inner), axis=1, class_weights=True,
                  smoothing=("uniform_others", 0.1), reduce="sum")
        group.add(f"middle/masked/inner-{inner}/mean", *flags, "ignored-rows-leave-the-mean", shape=(2, 3, inner),
                  axis=1, row_mask=[int(r % 3 != 1) for r in range(2 * inner)], row_weights=True,
                  smoothing=("uniform", 0.1))
        group.add(f"middle/binary/inner-{inner}/mean", *flags, "binary-units", loss="binary_cross_entropy",
                  shape=(2, 3, inner), axis=1, targets="soft", smoothing=("uniform", 0.2), class_weights=True,
                  row_mask=[int(r % 4 != 2) for r in range(2 * inner)])
        group.add(f"middle/binary/indices/inner-{inner}/none", *flags, "binary-units", loss="binary_cross_entropy",
                  shape=(1, 4, inner), axis=1, smoothing=("uniform_half", 0.2), reduce="none")
    group.add("last/rank-4/none", *flags, shape=(2, 2, 2, 5), smoothing=("class_rows", 0.1), reduce="none")
    group.add("middle/rank-4/axis-2/none", *flags, shape=(2, 2, 5, 2), axis=2, smoothing=("class_rows", 0.1),
              reduce="none")
    group.add("middle/rank-5/axis-1/ignore/mean", *flags, shape=(2, 3, 2, 1, 2), axis=1, ignore_index=[1], z_loss=0.125,
              smoothing=("uniform_per_class", 0.4))
    group.add("first/rank-3/33-classes/none", *flags, "lane-edges", shape=(33, 2, 2), axis=0,
              smoothing=("uniform", 0.1), reduce="none")
    group.add("axis-of-length-1/inner/mean", *flags, shape=(1, 5, 1), axis=1, smoothing=("uniform", 0.1))
    group.add("as-many-rows-as-classes/axis-0/none", *flags, shape=(4, 4), axis=0, smoothing=("uniform_others", 0.1),
              reduce="none")
    group.add("as-many-rows-as-classes/axis-1/none", *flags, shape=(4, 4), axis=1, smoothing=("uniform_others", 0.1),
              reduce="none")
