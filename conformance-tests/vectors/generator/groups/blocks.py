"""Numbers of classes around blocks of 1024 columns."""

from ..numbers import f32

WIDTHS = [1000, 1024, 1025, 2049]


def one(place, high):
    """Logits of which one column is ahead of the rest."""
    return lambda draw, count: [high if i == place else z for i, z in enumerate(draw.logits(count))]


def indices(*classes):
    return {"kind": "indices", "values": list(classes)}


def add_cases(group):
    for k in WIDTHS:
        flags = ("block-edges",)
        group.add(f"{k}-classes/uniform/none", *flags, shape=(1, k), smoothing=("uniform", 0.1), reduce="none")
        group.add(f"{k}-classes/none/loss", *flags, shape=(1, k), smoothing=("none", 0.0), reduce="sum", gradient=False)
        group.add(f"{k}-classes/probabilities/loss", *flags, shape=(1, k), targets="probabilities", reduce="none",
                  smoothing=("uniform", 0.1), gradient=False)
        group.add(f"{k}-classes/target-last/loss", *flags, shape=(1, k), targets=indices(k - 1), gradient=False,
                  smoothing=("uniform_others", 0.1))
    k = 1025
    group.add(f"{k}-classes/weights/loss", "block-edges", shape=(1, k), class_weights=True, class_weighting="expected",
              smoothing=("uniform", 0.1), reduce="sum", gradient=False)
    group.add(f"{k}-classes/distribution/loss", "block-edges", shape=(1, k), smoothing=("distribution", 0.1),
              gradient=False)
    group.add(f"{k}-classes/subtract_entropy+z_loss/loss", "block-edges", shape=(1, k),
              smoothing=("uniform_others", 0.1), subtract_entropy=True, z_loss=0.0625, gradient=False)
    group.add(f"{k}-classes/float32/loss", "block-edges", shape=(1, k), smoothing=("uniform", 0.1),
              logits=lambda draw, count: draw.logits(count, 8.0, f32), gradient=False)
    group.add(f"{k}-classes/excluded/loss", "block-edges", "excluded-classes-leave-k", shape=(1, k), targets=indices(7),
              smoothing=("uniform", 0.1), excluded_classes=[0, 1023, 1024], gradient=False)
