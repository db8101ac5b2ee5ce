"""Logits far from 0 and far apart: what cancels or overflows where the maximum is not subtracted first."""

from ..group import KINDS
from ..numbers import bf16, f32


def around(offset, rounding=f32, spread=4.0):
    """Logits within `spread` of an offset."""
    return lambda draw, count: [rounding(offset + draw.between(-spread, spread)) for _ in range(count)]


def indices(*classes):
    return {"kind": "indices", "values": list(classes)}


def add_cases(group):
    for add in (in_bfloat16, in_float32, options, apart, extremes):
        add(group)


def in_bfloat16(group):
    """256 and 1e4 as bfloat16 has them, with steps of 2 and 64 between neighbours."""
    for offset, spread in ((256.0, 12.0), (-256.0, 12.0), (10000.0, 300.0), (-10000.0, 300.0), (1.0e6, 9000.0)):
        for kind in ("none", "uniform", "distribution"):
            group.add(f"bfloat16/{offset:.0f}/{kind}/none", "shifted-sum", shape=(2, 5), smoothing=(kind, 0.1),
                      reduce="none", logits=around(offset, bf16, spread))
    for offset in (9984.0, -9984.0, 999424.0):
        group.add(f"bfloat16/{offset:.0f}/all-equal/none", "shifted-sum", "ties", shape=(2, 5), logits=[offset] * 10,
                  smoothing=("uniform", 0.1), reduce="none")


def in_float32(group):
    for offset in (100.0, -100.0, 1.0e4, -1.0e4, 1.0e6, -1.0e6):
        for kind in KINDS:
            group.add(f"{offset:.0f}/{kind}/none", "shifted-sum", shape=(2, 5), smoothing=(kind, 0.1),
                      logits=around(offset), reduce="none")
    for k in (1, 3, 33, 65):
        group.add(f"1e6/{k}-classes/mean", "shifted-sum", "lane-edges", shape=(2, k), smoothing=("uniform", 0.1),
                  logits=around(1.0e6))
    group.add("float64/1e6/uniform/none", "shifted-sum", shape=(2, 5), smoothing=("uniform", 0.1),
              logits=around(1.0e6, float), reduce="none")
    group.add("float64/1e12/uniform/none", "shifted-sum", shape=(2, 5), smoothing=("uniform", 0.1),
              logits=around(1.0e12, float), reduce="none")


def options(group):
    large = {"logits": around(1.0e6), "smoothing": ("uniform", 0.1)}
    flags = ("shifted-sum",)
    for weighting in ("inside_sum", "by_target", "expected"):
        group.add(f"1e6/{weighting}/mean", *flags, class_weights=True, class_weighting=weighting, **large)
    for targets in ("probabilities", "loose", "mixed"):
        group.add(f"1e6/{targets}/mean", *flags, targets=targets, class_weights=True, **large)
    group.add("1e6/row-weights/mean", *flags, row_weights=True, **large)
    group.add("1e6/subtract_entropy/none", *flags, subtract_entropy=True, reduce="none", **large)
    group.add("1e6/excluded/none", *flags, excluded_classes=[0], reduce="none", **large)
    group.add("1e6/axis-0/none", *flags, "inner-stride", shape=(5, 3), axis=0, reduce="none", **large)
    # lse^2 is about 1e12 and swamps the rest, so the offsets here are smaller.
    for offset in (256.0, -256.0):
        group.add(f"z_loss/{offset:.0f}/none", "z-loss-everywhere", "shifted-sum", shape=(2, 5), reduce="none",
                  logits=around(offset, bf16, 12.0), smoothing=("uniform", 0.1), z_loss=2.0**-10)
    # Rows with offsets of their own: a maximum over the batch, or the first row's, overflows.
    group.add("rows-apart/none", "no-overflow", shape=(4, 3), reduce="none", smoothing=("uniform", 0.1),
              logits=[3.0, 1.0, 2.0, -512.0, -520.0, -516.0, 1024.0, 1032.0, 1024.0, 0.0, 0.5, -1.0])


def apart(group):
    """Spreads over which exp underflows to 0."""
    for spread in (88.0, 104.0, 208.0, 1000.0):
        for kind in ("none", "uniform", "uniform_others"):
            group.add(f"spread-{spread:.0f}/{kind}/none", "no-overflow", shape=(3, 4), targets=indices(0, 1, 2),
                      logits=[bf16(z * spread) for z in (1, 0, 0.5, 0.25, 1, 0, 0.5, 0.25, 1, 0, 0.5, 0.25)],
                      smoothing=(kind, 0.1), reduce="none")
    # p_k near the smallest normal and subnormal float32, where exp in parts goes wrong.
    group.add("steps-of-8/none", "no-overflow", shape=(1, 17), logits=[-8.0 * c for c in range(17)], targets=indices(0),
              smoothing=("none", 0.0), reduce="none")
    group.add("steps-of-1/none", "no-overflow", shape=(1, 33), logits=[-84.0 - c for c in range(32)] + [0.0],
              targets=indices(32), smoothing=("uniform", 0.1), reduce="none")
    for targets in ("probabilities", "mixed"):
        group.add(f"spread-200/{targets}/mean", "no-overflow", shape=(3, 4), targets=targets,
                  smoothing=("uniform", 0.1), logits=lambda draw, count: draw.logits(count, 100.0))


def extremes(group):
    """The ends of the range of bfloat16 and float32, where z - max itself overflows."""
    high, tiny = bf16(3.0e38), 2.0**-130
    group.add("extremes/right/none", "no-overflow", "zero-mass-costs-nothing", shape=(2, 3), targets=indices(0, 1),
              logits=[high, -high, 0.0, -high, high, -high], smoothing=("none", 0.0), reduce="none")
    group.add("extremes/two-equal/none", "no-overflow", "ties", shape=(1, 3), targets=indices(0),
              logits=[high, -high, high], smoothing=("none", 0.0), reduce="none")
    group.add("extremes/all-lowest/mean", "no-overflow", "ties", shape=(2, 3), logits=[-high] * 6,
              smoothing=("uniform", 0.1))
    group.add("subnormal/uniform/none", "ties", shape=(1, 4), logits=[tiny, -tiny, 0.0, 2 * tiny],
              smoothing=("uniform", 0.1), reduce="none")
