"""What takes the place of -log p: the focal loss, of a softmax and of a sigmoid, and label relaxation."""

from ..group import INF, NAN, REDUCTIONS, WEIGHTINGS
from ..numbers import f32
from .confident import LEADS, there

FOCAL, RELAXED, SIGMOID = "focal-factor", "relaxed-share", "sigmoid-focal"
UNIFORM = ("uniform", 0.1)


def focal(gamma, alpha=None):
    return {"kind": "focal", "gamma": gamma} | ({} if alpha is None else {"alpha": alpha})


def relaxed(alpha):
    return {"kind": "relaxed", "alpha": alpha}


def add_cases(group):
    softmax = {"focal": (FOCAL, focal(2.0)), "relaxed": (RELAXED, relaxed(0.25))}
    for name, (flag, likelihood) in softmax.items():
        for add in (alone, weights, ignored, confident, non_finite, shapes):
            add(group, name, flag, likelihood)
    for add in (parameters, focal_targets, shares, sigmoid, sigmoid_edges, refused):
        add(group)


def alone(group, name, flag, likelihood):
    for reduce in REDUCTIONS:
        group.add(f"{name}/alone/{reduce}", flag, likelihood=likelihood, reduce=reduce)
    group.add(f"{name}/z_loss/none", flag, likelihood=likelihood, z_loss=0.125, reduce="none")
    group.add(f"{name}/confidence+margin+max_suppression/mean", flag, "penalty-term", likelihood=likelihood, penalties=[
        {"kind": "confidence", "strength": 0.5},
        {"kind": "margin", "strength": 0.25, "margin": 2.0},
        {"kind": "max_suppression", "strength": 0.5},
    ])
    group.add(f"{name}/explicit-none/none", flag, likelihood=likelihood, smoothing={"kind": "none"}, reduce="none")


def weights(group, name, flag, likelihood):
    for weighting in WEIGHTINGS:
        for reduce in ("none", "mean"):
            group.add(f"{name}/{weighting}/{reduce}", flag, "three-weightings", class_weights=True, reduce=reduce,
                      class_weighting=weighting, likelihood=likelihood)
    group.add(f"{name}/row-weights/mean", flag, "row-weights", row_weights=[0.5, 0.0, 3.0], likelihood=likelihood)
    group.add(f"{name}/weight-0-on-the-target/none", flag, "zero-mass-costs-nothing", shape=(1, 3), reduce="none",
              targets={"kind": "indices", "values": [1]}, class_weights=[1.0, 0.0, 2.0], likelihood=likelihood)


def ignored(group, name, flag, likelihood):
    group.add(f"{name}/ignore/mean", flag, "ignored-rows-hold-anything", shape=(3, 3), ignore_index=[-100],
              targets={"kind": "indices", "values": [2, -100, 0]}, likelihood=likelihood,
              logits=[0.5, 1.0, -2.0, NAN, INF, 0.0, 3.0, -1.0, 0.0])
    group.add(f"{name}/mask/none", flag, row_mask=[0, 1, 1], likelihood=likelihood, reduce="none")


def confident(group, name, flag, likelihood):
    """Flagged for the focal loss, whose tail is that of the cross entropy to the power gamma + 1."""
    flags = (flag, "confident-row") if name == "focal" else (flag,)

    def leads(rounding):
        return lambda draw, _: [z for lead in LEADS for z in (0.0, -1.5, rounding(lead + draw.between(0.25, 0.5)))]

    given = {"shape": (7, 3), "targets": there(2), "upstream": [1.0] * 7, "reduce": "none", "likelihood": likelihood}
    group.add(f"{name}/confident/none", *flags, logits=[z for lead in LEADS for z in (0.0, -1.5, lead)], **given)
    group.add(f"{name}/confident/float32/none", *flags, logits=leads(f32), **given)
    group.add(f"{name}/confident/float64/none", *flags, logits=leads(float), **given)
    group.add(f"{name}/confidently-wrong/none", flag, "no-overflow",
              **{**given, "targets": there(0), "logits": [z for lead in LEADS for z in (0.0, -1.5, lead)]})
    group.add(f"{name}/far-apart/none", flag, "no-overflow", shape=(2, 4), likelihood=likelihood, reduce="none",
              logits=[1e4, -1e4, 9984.0, 0.0, -512.0, -640.0, -1024.0, -513.0])


def non_finite(group, name, flag, likelihood):
    group.add(f"{name}/minus-infinity/none", flag, "minus-infinity-anywhere", shape=(3, 4), reduce="none",
              likelihood=likelihood, targets={"kind": "indices", "values": [1, 1, 3]},
              logits=[-INF, 1.0, 0.5, -3.0, 2.0, -INF, -INF, -4.0, -INF, -INF, -INF, 0.5])
    group.add(f"{name}/bad-rows/none", flag, "one-bad-row", shape=(4, 3), likelihood=likelihood, reduce="none",
              logits=[0.5, NAN, 1.0, 2.0, 0.0, -1.0, INF, 0.0, 1.0, -INF, -INF, -INF])


def shapes(group, name, flag, likelihood):
    for k in (1, 2, 17, 65, 130):
        group.add(f"{name}/{k}-classes/none", flag, "lane-edges", shape=(2, k), likelihood=likelihood, reduce="none")
    group.add(f"{name}/rank-3/axis-1/none", flag, "inner-stride", shape=(2, 4, 3), axis=1, likelihood=likelihood,
              reduce="none")
    group.add(f"{name}/ties/none", flag, "ties", shape=(2, 4), likelihood=likelihood, reduce="none",
              logits=[1.0, 3.0, 3.0, -2.0, 0.5, 0.5, 0.5, 0.5])


def parameters(group):
    for gamma in (0.0, 2.0**-10, 0.5, 1.0, 3.0, 5.0, 16.0):
        group.add(f"focal/gamma-{gamma}/none", FOCAL, likelihood=focal(gamma), reduce="none")
        group.add(f"focal/gamma-{gamma}/smoothed/none", FOCAL, likelihood=focal(gamma), smoothing=UNIFORM, reduce="none")
        group.add(f"focal/gamma-{gamma}/confident/none", FOCAL, "confident-row", shape=(7, 3), targets=there(2),
                  upstream=[1.0] * 7, logits=[z for lead in LEADS for z in (0.0, -1.5, lead)], likelihood=focal(gamma),
                  reduce="none")
    # Far enough ahead that what is left of the row is no normal number, though its power is.
    group.add("focal/gamma-0.125/lead-720/none", FOCAL, shape=(2, 3), targets={"kind": "indices", "values": [0, 0]},
              logits=[720.0, 0.0, -1.5, 744.0, 0.0, 0.0], likelihood=focal(0.125), reduce="none")
    for alpha in (0.0, 2.0**-20, 0.1, 0.5, 0.75, 1.0):
        group.add(f"relaxed/alpha-{alpha}/none", RELAXED, likelihood=relaxed(alpha), shape=(4, 5), reduce="none")


def focal_targets(group):
    for targets in ("probabilities", "loose", "mixed", "one-hot"):
        for weighting in ("inside_sum", "expected"):
            group.add(f"focal/{targets}/{weighting}/mean", FOCAL, "focal-of-soft-targets", targets=targets,
                      likelihood=focal(2.0), smoothing=UNIFORM, class_weights=True, class_weighting=weighting)
    for kind in ("uniform_others", "distribution", "class_rows", "uniform_per_class"):
        group.add(f"focal/{kind}/none", FOCAL, "focal-of-soft-targets", likelihood=focal(1.5), smoothing=(kind, 0.2),
                  reduce="none")
    group.add("focal/restricted/none", FOCAL, "restricted-support", shape=(2, 4), likelihood=focal(2.0), reduce="none",
              targets={"kind": "indices", "values": [1, 0]}, smoothing=UNIFORM, non_finite_logits="restrict_support",
              logits=[-INF, 1.0, 0.5, -3.0, 2.0, 1.0, -INF, -4.0])


def shares(group):
    """The target has just less and just more than its share. At the share itself the gradient bends."""
    group.add("relaxed/around-the-share/none", RELAXED, "relaxed-share-edges", shape=(5, 2), reduce="none",
              logits=[2.0**-7, 0.0, 0.0, 2.0**-7, 3.0, 0.0, -3.0, 0.0, 40.0, 0.0],
              targets={"kind": "indices", "values": [0] * 5}, likelihood=relaxed(0.5))
    group.add("relaxed/right-but-not-enough/none", RELAXED, "relaxed-share-edges", shape=(3, 4), reduce="none",
              logits=[1.0, 0.0, 0.0, -1.0, 2.0, 0.0, 0.0, -1.0, 4.0, 0.0, 0.0, -1.0],
              targets={"kind": "indices", "values": [0] * 3}, likelihood=relaxed(0.1))


def sigmoid(group):
    binary = {"loss": "binary_cross_entropy"}
    for targets in ("bits", "soft", "indices", "mixed"):
        for reduce in ("none", "mean"):
            group.add(f"sigmoid/{targets}/{reduce}", SIGMOID, targets=targets, likelihood=focal(2.0, 0.25), reduce=reduce,
                      **binary)
    for kind in ("uniform", "distribution", "uniform_half", "uniform_flip", "positives_only"):
        group.add(f"sigmoid/{kind}/none", SIGMOID, "focal-of-soft-targets", targets="bits", smoothing=(kind, 0.2),
                  likelihood=focal(2.0, 0.25), reduce="none", **binary)
    for alpha in (None, 0.0, 0.5, 1.0):
        group.add(f"sigmoid/alpha-{alpha}/none", SIGMOID, "focal-alpha", targets="bits", likelihood=focal(2.0, alpha),
                  reduce="none", **binary)
    for gamma in (0.0, 2.0**-10, 0.5, 1.0, 5.0):
        group.add(f"sigmoid/gamma-{gamma}/none", SIGMOID, targets="soft", likelihood=focal(gamma, 0.25), reduce="none",
                  **binary)
    group.add("sigmoid/weights+row-weights/mean", SIGMOID, "focal-alpha", targets="bits", class_weights=True,
              row_weights=True, likelihood=focal(2.0, 0.25), **binary)
    group.add("sigmoid/mask/sum", SIGMOID, targets="bits", row_mask=[1, 0, 1], likelihood=focal(2.0, 0.25), reduce="sum",
              **binary)
    for k in (1, 9, 65):
        group.add(f"sigmoid/{k}-classes/mean-counted", SIGMOID, "lane-edges", shape=(2, k), targets="bits",
                  likelihood=focal(2.0, 0.25), reduce="mean-counted", **binary)
    group.add("sigmoid/axis-0/none", SIGMOID, "inner-stride", shape=(3, 4), axis=0, targets="bits", reduce="none",
              likelihood=focal(2.0, 0.25), **binary)


def sigmoid_edges(group):
    binary = {"loss": "binary_cross_entropy", "reduce": "none"}
    bits = {"kind": "probabilities", "values": [1.0, 0.0] * 7}
    leads = [side * lead for lead in (1.0, 5.0, 17.0, 40.0, 80.0, 16.0, 2.0) for side in (1.0, -1.0)]
    ones = [1.0] * 14
    for gamma in (0.5, 2.0):
        group.add(f"sigmoid/confident/gamma-{gamma}/none", SIGMOID, "confident-element", "confident-row", shape=(7, 2),
                  targets=bits, logits=leads, upstream=ones, likelihood=focal(gamma), **binary)
    group.add("sigmoid/wrong/none", SIGMOID, "no-overflow", shape=(7, 2), targets=bits, logits=[-z for z in leads],
              likelihood=focal(2.0, 0.25), **binary)
    group.add("sigmoid/infinite/none", SIGMOID, "bce-wide-logits", shape=(3, 2), logits=[INF, -INF, -INF, INF, 1e4, -1e4],
              targets={"kind": "probabilities", "values": [1.0, 0.0, 1.0, 0.0, 0.0, 1.0]}, likelihood=focal(2.0, 0.25),
              **binary)
    group.add("sigmoid/nan/none", SIGMOID, "one-bad-row", shape=(2, 2), logits=[NAN, 1.0, -2.0, NAN], targets="bits",
              likelihood=focal(2.0, 0.25), **binary)


def refused(group):
    reason = "invalid-configuration"
    for name, likelihood in {
        "focal/gamma-negative": focal(-0.5),
        "focal/gamma-nan": focal(NAN),
        "focal/gamma-infinite": focal(INF),
        "focal/alpha-with-a-softmax": focal(2.0, 0.25),
        "relaxed/alpha-negative": relaxed(-0.125),
        "relaxed/alpha-above-1": relaxed(1.5),
        "relaxed/alpha-nan": relaxed(NAN),
    }.items():
        group.refuse(reason, name, likelihood=likelihood)
    for name, alpha in {"negative": -0.25, "above-1": 1.25, "nan": NAN}.items():
        group.refuse(reason, f"sigmoid/alpha-{name}", loss="binary_cross_entropy", targets="bits",
                     likelihood=focal(2.0, alpha))
    group.refuse(reason, "relaxed/binary", loss="binary_cross_entropy", targets="indices", likelihood=relaxed(0.1))
    group.refuse(reason, "relaxed/smoothed", smoothing=UNIFORM, likelihood=relaxed(0.1))
    for targets in ("probabilities", "mixed", "one-hot"):
        group.refuse(reason, f"relaxed/{targets}", targets=targets, likelihood=relaxed(0.1))
    for name, likelihood in {"focal": focal(2.0), "relaxed": relaxed(0.1)}.items():
        group.refuse(reason, f"{name}/subtract_entropy", likelihood=likelihood, subtract_entropy=True)
        group.refuse(reason, f"{name}/poly", likelihood=likelihood, penalties=[{"kind": "poly", "epsilon": 1.0}])
