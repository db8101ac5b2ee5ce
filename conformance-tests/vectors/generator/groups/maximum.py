"""The maximum in every column, alone or shared, the target there or elsewhere."""

from ..group import INF


def diagonal(high):
    """Square logits whose row i has its maximum in column i."""

    def logits(draw, count):
        k = round(count**0.5)
        return [high if i // k == i % k else z for i, z in enumerate(draw.logits(count, 3.0))]

    return logits


def placed(places, high=3.5):
    return lambda draw, count: [high if i in places else z for i, z in enumerate(draw.logits(count, 3.0))]


def indices(classes):
    return {"kind": "indices", "values": list(classes)}


def add_cases(group):
    for add in (every_column, ties, kinds, signs):
        add(group)


def every_column(group):
    for k in (4, 16, 33):
        flags = ("maximum-anywhere",)
        group.add(f"every-column-of-{k}/target-there/none", *flags, shape=(k, k), logits=diagonal(4.0),
                  targets=indices(range(k)), smoothing=("none", 0.0), reduce="none")
        group.add(f"every-column-of-{k}/target-next/none", *flags, shape=(k, k), logits=diagonal(4.0),
                  targets=indices((c + 1) % k for c in range(k)), smoothing=("uniform", 0.1), reduce="none")


def ties(group):
    k = 40
    for name, places in {
        "first+last": (0, 39),
        "neighbours": (7, 8),
        "same-lane": (3, 35),
        "three": (1, 2, 33),
        "all-but-one": range(1, 40),
    }.items():
        places = list(places)
        for where, target in {"first-of-them": places[0], "last-of-them": places[-1], "none-of-them": 20}.items():
            if where == "none-of-them":
                target = next(c for c in range(k) if c not in places)
            group.add(f"ties/{name}/target-{where}/none", "ties", shape=(1, k), logits=placed(places),
                      targets=indices([target]), smoothing=("uniform", 0.1), reduce="none")
    group.add("ties/all/none", "ties", shape=(2, 17), logits=[-2.5] * 34, smoothing=("none", 0.0), reduce="none")
    group.add("ties/all/uniform/mean", "ties", shape=(2, 17), logits=[-2.5] * 34, smoothing=("uniform", 0.1))
    group.add("ties/with-minus-infinity/none", "ties", "zero-mass-costs-nothing", shape=(1, 5),
              logits=[-INF, 2.0, 2.0, -INF, 2.0], targets=indices([2]), smoothing=("none", 0.0), reduce="none")
    # A lead of 22 nats shared by two columns: 1 - p is far from 0 for both.
    group.add("ties/two-far-ahead/none", "ties", "no-overflow", shape=(1, 6), logits=[0.0, 22.0, -1.0, 22.0, 0.5, -2.0],
              targets=indices([3]), smoothing=("none", 0.0), reduce="none")


def kinds(group):
    """The gradient at the column of the maximum is formed apart: with every kind of target and weight."""
    for name, given in {
        "probabilities": {"targets": "probabilities"},
        "one-hot": {"targets": "one-hot"},
        "loose": {"targets": "loose"},
        "mixed": {"targets": {"kind": "mixed", "first": [2, 0], "second": [4, 2], "lambda": [0.75, 0.25]}},
        "distribution": {"smoothing": ("distribution", 0.2)},
        "class_rows": {"smoothing": ("class_rows", 0.2)},
        "uniform_others": {"smoothing": ("uniform_others", 0.2)},
        "uniform_per_class": {"smoothing": ("uniform_per_class", 0.4)},
        "inside_sum": {"class_weights": True, "smoothing": ("uniform", 0.2)},
        "z_loss": {"z_loss": 0.125, "smoothing": ("uniform", 0.2)},
        "weight-0-there": {"class_weights": [1.0, 2.0, 0.0, 0.5, 1.5], "smoothing": ("uniform", 0.2)},
    }.items():
        group.add(f"kinds/{name}/none", "maximum-anywhere", shape=(2, 5), logits=[0.5, -1.0, 9.0, 1.0, 0.0] * 2,
                  reduce="none", **given)


def signs(group):
    group.add("zeros-of-both-signs/none", "ties", shape=(2, 3), logits=[-0.0, 0.0, -0.0, 0.0, -0.0, -1.0],
              targets=indices([1, 1]), smoothing=("uniform", 0.1), reduce="none")
    group.add("all-negative/none", "maximum-anywhere", shape=(2, 4), reduce="none", smoothing=("uniform", 0.1),
              logits=[-5.0, -3.0, -9.0, -4.0, -100.0, -101.0, -99.0, -98.0])
    group.add("ascending/none", "maximum-anywhere", shape=(1, 35), logits=[c / 8 for c in range(35)],
              smoothing=("uniform", 0.1), reduce="none")
    group.add("descending/none", "maximum-anywhere", shape=(1, 35), logits=[-c / 8 for c in range(35)],
              smoothing=("uniform", 0.1), reduce="none")
