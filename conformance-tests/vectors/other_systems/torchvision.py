"""torchvision's focal loss of a sigmoid."""

import torch

from .published import archive, load
from .torch_answer import answer as by_autograd
from .torch_answer import numbers

SOURCE = (
    "torchvision 0.28.0, torchvision/ops/focal_loss.py, sigmoid_focal_loss: its own code run on torch {torch}, cpu, float64, "
    "gradients by autograd"
)
RELATIVE_ERROR = 2.0**-40


def questions(ask):
    for targets in ("bits", "soft"):
        for gamma in (0.0, 0.5, 2.0, 5.0):
            for alpha in (None, 0.25, 0.75):
                likelihood = {"kind": "focal", "gamma": gamma} | ({} if alpha is None else {"alpha": alpha})
                ask(f"{targets}/gamma-{gamma}/alpha-{alpha}/none", "sigmoid-focal", "focal-alpha", shape=(4, 6),
                    loss="binary_cross_entropy", targets=targets, likelihood=likelihood, reduce="none")
        for reduce in ("mean-counted", "sum"):
            ask(f"{targets}/{reduce}", "sigmoid-focal", shape=(4, 6), loss="binary_cross_entropy", targets=targets,
                likelihood={"kind": "focal", "gamma": 2.0, "alpha": 0.25}, reduce=reduce)


def answer(case):
    given = {"torch": torch, "F": torch.nn.functional, "_log_api_usage_once": lambda _: None}
    path = "torchvision/ops/focal_loss.py"
    loss = load(archive("torchvision==0.28.0"), path, ["sigmoid_focal_loss"], given)["sigmoid_focal_loss"]
    config, shape = case["config"], case["logits"]["shape"]
    likelihood = config["likelihood"]
    alpha = float.fromhex(likelihood["alpha"]) if "alpha" in likelihood else -1
    targets = numbers(case["targets"]["values"]).reshape(shape)
    given = {"alpha": alpha, "gamma": float.fromhex(likelihood["gamma"]), "reduction": config["reduction"]}
    return by_autograd({**case, "targets": {"values": [0] * shape[0]}}, lambda z, _: loss(z, targets, **given))
