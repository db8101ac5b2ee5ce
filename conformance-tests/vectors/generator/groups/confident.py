"""Rows that are almost certain and right: loss and gradient are tiny and must keep their relative precision.

Every flagged case has rate 0, one-hot targets and weights that are powers of two, so that nothing but exp and log1p
of the lead decides how precise the answer can be.
"""

from ..numbers import bf16, f32

LEADS = [5.0, 10.0, 17.0, 22.0, 40.0, 60.0, 80.0]
FLAG = "confident-row"
ONES = [1.0] * len(LEADS)


def leads(classes, place, rounding=bf16):
    """A row per lead; the second is near 0 and the others lie up to 2 nats under it."""

    def logits(draw, count):
        rows = []
        for lead in LEADS:
            row = [rounding(draw.between(-2, 0)) for _ in range(classes)]
            row[(place + 1) % classes] = 0.0 if rounding is bf16 else rounding(draw.between(0, 0.25))
            row[place] = lead if rounding is bf16 else rounding(lead + draw.between(0.25, 0.5))
            rows += row
        return rows

    return logits


def there(place):
    return {"kind": "indices", "values": [place] * len(LEADS)}


def add_cases(group):
    for add in (classes, rates, targets, weights, reductions, element_types, near_misses):
        add(group)


def classes(group):
    for k in (2, 3, 10, 16, 17, 33, 65):
        for name, place in {"first": 0, "last": k - 1}.items():
            group.add(f"{k}-classes/target-{name}/none", FLAG, shape=(7, k), logits=leads(k, place),
                      targets=there(place), smoothing=("none", 0.0), upstream=ONES, reduce="none")


def rates(group):
    for kind in ("uniform", "uniform_others", "distribution", "class_rows", "uniform_per_class"):
        group.add(f"rate-0/{kind}/none", FLAG, "epsilon-edges", shape=(7, 5), logits=leads(5, 2), targets=there(2),
                  smoothing=(kind, 0.0), upstream=ONES, reduce="none")


def targets(group):
    one_hot = {"kind": "probabilities", "values": [float(c == 1) for _ in LEADS for c in range(4)]}
    mixed = {"kind": "mixed", "first": [1] * 7, "second": [0] * 7, "lambda": ONES}
    same = {"kind": "mixed", "first": [1] * 7, "second": [1] * 7, "lambda": [0.25] * 7}
    for name, targets in {"one-hot": one_hot, "mixed": mixed, "mixed-same-class": same}.items():
        for kind in ("none", "uniform"):
            group.add(f"{name}/{kind}/none", FLAG, shape=(7, 4), logits=leads(4, 1), targets=targets, upstream=ONES,
                      smoothing=(kind, 0.0), reduce="none")


def weights(group):
    for weighting in ("inside_sum", "by_target", "expected"):
        group.add(f"weights/{weighting}/none", FLAG, shape=(7, 4), logits=leads(4, 3), targets=there(3), upstream=ONES,
                  class_weights=[1.0, 0.5, 4.0, 2.0], class_weighting=weighting, smoothing=("none", 0.0), reduce="none")
    group.add("row-weights/none", FLAG, shape=(7, 4), logits=leads(4, 3), targets=there(3), upstream=ONES,
              row_weights=[2.0, 1.0, 0.5, 4.0, 1.0, 0.25, 1.0], smoothing=("none", 0.0), reduce="none")
    group.add("ignore/none", FLAG, shape=(7, 4), logits=leads(4, 3), upstream=ONES, ignore_index=[-1], reduce="none",
              targets={"kind": "indices", "values": [3, -1, 3, 3, -1, 3, 3]}, smoothing=("none", 0.0))
    group.add("axis-0/none", FLAG, "inner-stride", shape=(3, 4), axis=0, upstream=[1.0] * 4, reduce="none",
              logits=[10.0, 22.0, 60.0, 80.0, 0.0, -0.5, -1.0, 0.0, -2.0, 0.0, 0.0, -1.0], smoothing=("none", 0.0),
              targets={"kind": "indices", "values": [0, 0, 0, 0]})


def reductions(group):
    for lead in LEADS:
        for reduce in ("sum", "mean"):
            group.add(f"lead-{lead:.0f}/{reduce}", FLAG, shape=(2, 4),
                      logits=[0.0, lead, -1.5, -0.75, 0.0, lead, -0.5, -3.0],
                      targets={"kind": "indices", "values": [1, 1]}, smoothing=("none", 0.0), upstream=[2.0],
                      reduce=reduce)


def element_types(group):
    """Logits that use every bit: the lead itself is rounded in float32, unless its rest is carried."""
    for k in (2, 10, 33):
        group.add(f"float32/{k}-classes/none", FLAG, shape=(7, k), logits=leads(k, 0, f32), targets=there(0),
                  smoothing=("none", 0.0), upstream=ONES, reduce="none")
        group.add(f"float64/{k}-classes/none", FLAG, shape=(7, k), logits=leads(k, 0, float), targets=there(0),
                  smoothing=("none", 0.0), upstream=ONES, reduce="none")


def near_misses(group):
    """As far ahead, but with mass elsewhere: the loss is large, and only the gradient has a tail."""
    for kind, epsilon in (("uniform", 0.1), ("uniform_others", 2.0**-20), ("distribution", 1.0)):
        group.add(f"smoothed/{kind}/none", "epsilon-edges", shape=(7, 5), logits=leads(5, 2), targets=there(2),
                  smoothing=(kind, epsilon), reduce="none")
    group.add("wrong/none", "no-overflow", shape=(7, 5), logits=leads(5, 2), targets=there(0), smoothing=("none", 0.0),
              reduce="none")
    group.add("z_loss/none", "z-loss-everywhere", shape=(7, 5), logits=leads(5, 2), targets=there(2), z_loss=2.0**-10,
              smoothing=("none", 0.0), reduce="none")
