"""What papers print as their programs, transcribed: a few lines each, on PyTorch, differentiated by it.

Nothing here is a package that could be asked. Each function says whose lines it follows.
"""

import torch
import torch.nn.functional as F

from .torch_answer import answer as by_autograd
from .torch_answer import divided

SOURCE = (
    "transcribed from the papers' programs on torch {torch}, cpu, float64, gradients by autograd: Pereyra et al. 2017, Liu et "
    "al. 2022 (MbLS, LogitMarginL1), Zhou et al. 2025 (MaxSup), Leng et al. 2022 (Poly-1, page 10), Lin et al. 2017, Lienen "
    "and Huellermeier 2021"
)
RELATIVE_ERROR = 2.0**-40


def questions(ask):
    for kind, terms in TERMS.items():
        for name, term in terms.items():
            for reduce in ("none", "mean-counted"):
                ask(f"{kind}/{name}/{reduce}", "penalty-term", shape=(4, 6), penalties=[{"kind": kind, **term}],
                    reduce=reduce)
            ask(f"{kind}/{name}/smoothed/sum", "penalty-term", shape=(4, 6), penalties=[{"kind": kind, **term}],
                smoothing=("uniform", 0.1), reduce="sum")
    for gamma in (0.5, 2.0, 3.0):
        ask(f"focal/gamma-{gamma}/none", "focal-factor", shape=(4, 6), likelihood={"kind": "focal", "gamma": gamma},
            reduce="none")
    for alpha in (0.05, 0.1, 0.4):
        ask(f"relaxed/alpha-{alpha}/none", "relaxed-share", shape=(6, 5), likelihood={"kind": "relaxed", "alpha": alpha},
            reduce="none")


TERMS = {
    "confidence": {"0.1": {"strength": 0.1}, "1": {"strength": 1.0}},
    # The authors' strength 0.6 is that of a mean over the six classes.
    "margin": {"0": {"strength": 0.6 / 6, "margin": 0.0}, "4": {"strength": 0.6 / 6, "margin": 4.0}},
    "max_suppression": {"0.1": {"strength": 0.1}},
    "poly": {"2": {"epsilon": 2.0}, "minus-1": {"epsilon": -1.0}},
}


def answer(case):
    config = case["config"]

    def loss_of(logits, targets):
        losses = row_losses(config, logits, targets)
        return losses if config["reduction"] == "none" else divided(case, losses.sum(), len(targets))

    return by_autograd(case, loss_of)


def row_losses(config, z, y):
    number = float.fromhex
    likelihood = config.get("likelihood", {"kind": "negative_log"})
    rate = number(config["smoothing"]["epsilon"]) if "smoothing" in config else 0.0
    losses = F.cross_entropy(z, y, label_smoothing=rate, reduction="none")
    if likelihood["kind"] == "focal":
        losses = focal(z, y, number(likelihood["gamma"]))
    if likelihood["kind"] == "relaxed":
        losses = label_relaxation(z, y, number(likelihood["alpha"]))
    for term in config.get("penalties", []):
        if term["kind"] == "confidence":
            losses = losses - number(term["strength"]) * torch.distributions.Categorical(logits=z).entropy()
        elif term["kind"] == "margin":
            losses = losses + 0.6 * margin(z, number(term["margin"]))
        elif term["kind"] == "max_suppression":
            losses = losses + number(term["strength"]) * (z.max(dim=1).values - z.mean(dim=1))
        else:
            losses = losses + number(term["epsilon"]) * one_minus_pt(z, y, rate)
    return losses


def margin(z, margin):
    """MbLS: the mean over the classes of what distances are beyond the margin."""
    distances = z.max(dim=1, keepdim=True).values - z
    return F.relu(distances - margin).mean(dim=1)


def one_minus_pt(z, y, rate):
    """Poly-1 with label smoothing."""
    labels = F.one_hot(y, z.shape[1]) * (1 - rate) + rate / z.shape[1]
    return (labels * (1 - z.softmax(dim=1))).sum(dim=1)


def focal(z, y, gamma):
    """The focal loss of a softmax."""
    of_target = z.softmax(dim=1).gather(1, y[:, None])[:, 0]
    return (1 - of_target) ** gamma * F.cross_entropy(z, y, reduction="none")


def label_relaxation(z, y, alpha):
    """The divergence from the projection onto the credal set, through which no gradient goes."""
    p, is_target = z.softmax(dim=1), F.one_hot(y, z.shape[1]).bool()
    with torch.no_grad():
        others = p.masked_fill(is_target, 0.0)
        projected = torch.where(is_target, 1 - alpha, alpha * p / others.sum(dim=1, keepdim=True))
    divergence = F.kl_div(p.log(), projected, reduction="none").sum(dim=1)
    return torch.where(p[is_target] > 1 - alpha, torch.zeros_like(divergence), divergence)
