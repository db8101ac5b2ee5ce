"""The maximum, confident rows and -inf around blocks of 1024 columns."""

from ..group import INF
from .blocks import indices, one


def first_block_gone(draw, count):
    return [-INF if i < 1024 else z for i, z in enumerate(draw.logits(count))]


def last_block_gone(draw, count):
    return [-INF if i >= 1024 else z for i, z in enumerate(draw.logits(count))]


def two_equal(draw, count):
    """The same maximum in two blocks."""
    return [5.0 if i in (3, 1024) else z for i, z in enumerate(draw.logits(count))]


def ever_higher(draw, count):
    """A new maximum in every block."""
    return [z + 8.0 * (i // 1024) for i, z in enumerate(draw.logits(count, 2.0, lambda z: round(z * 8) / 8))]


def add_cases(group):
    k, flags = 1025, ("block-edges", "maximum-anywhere")
    for place in (0, 1023, 1024):
        group.add(f"{k}-classes/maximum-{place}/target-there/none", *flags, shape=(1, k), logits=one(place, 8.0),
                  targets=indices(place), smoothing=("uniform", 0.1), reduce="none")
    group.add(f"{k}-classes/maximum-1024/target-elsewhere/none", *flags, shape=(1, k), logits=one(1024, 8.0),
              targets=indices(512), smoothing=("uniform", 0.1), reduce="none")
    for lead in (17.0, 40.0, 80.0):
        group.add(
            f"{k}-classes/lead-{lead:.0f}/none",
            "block-edges",
            "confident-row",
            shape=(1, k),
            reduce="none",
            logits=lambda draw, count, lead=lead: [
                lead if i == 1024 else min(z, 0.0) for i, z in enumerate(draw.logits(count))
            ],
            targets=indices(1024),
            smoothing=("none", 0.0),
            upstream=[1.0],
            gradient=lead == 40.0,
        )
    group.add(f"{k}-classes/two-equal/none", "block-edges", "ties", shape=(1, k), logits=two_equal,
              targets=indices(1024), smoothing=("none", 0.0), reduce="none")
    k = 2049
    flags = ("block-edges", "minus-infinity-anywhere")
    group.add(f"{k}-classes/ever-higher/loss", "block-edges", "maximum-anywhere", shape=(1, k), logits=ever_higher,
              targets=indices(5), smoothing=("uniform", 0.1), gradient=False)
    group.add(f"{k}-classes/first-block-gone/restrict_support/none", *flags, shape=(1, k), logits=first_block_gone,
              targets=indices(2048), smoothing=("uniform", 0.1), non_finite_logits="restrict_support", reduce="none")
    group.add(f"{k}-classes/last-blocks-gone/none", *flags, shape=(1, k), logits=last_block_gone, targets=indices(11),
              smoothing=("none", 0.0), reduce="none")
    group.add(f"{k}-classes/last-blocks-gone/propagate/loss", *flags, shape=(1, k), logits=last_block_gone,
              targets=indices(11), smoothing=("uniform", 0.1), gradient=False)
