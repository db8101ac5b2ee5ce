"""ClassyVision's loss; its targets are float32."""

from typing import Any, Dict

import numpy
import torch

from .published import archive, load, unchanged
from .torch_answer import answer as by_autograd

SOURCE = (
    "classy_vision 0.7.0, LabelSmoothingCrossEntropyLoss: its own code on torch {torch}, cpu, logits in float64, targets in "
    "float32 as it has them, gradients by autograd; the rate of a case is smoothing_param/(1 + smoothing_param)"
)
RELATIVE_ERROR = 2.0**-20


def questions(ask):
    for parameter in (0.1, 0.25, 0.9):
        smoothing = {"kind": "uniform", "epsilon": parameter / (1 + parameter)}
        for reduce in ("mean", "none"):
            ask(f"smoothing_param-{parameter}/{reduce}", "epsilon-applied-once", shape=(5, 6), smoothing=smoothing,
                reduce=reduce)
    ask("smoothing_param-0.1/two-classes/mean", "epsilon-over-k", shape=(4, 2), reduce="mean",
        smoothing={"kind": "uniform", "epsilon": 0.1 / (1 + 0.1)})


def answer(case):
    wheel = archive("classy_vision==0.7.0")
    given = {"torch": torch, "np": numpy, "F": torch.nn.functional, "ClassyLoss": torch.nn.Module, "Any": Any, "Dict": Dict,
             "register_loss": unchanged}
    load(wheel, "classy_vision/generic/util.py", ["convert_to_one_hot"], given)
    load(wheel, "classy_vision/losses/soft_target_cross_entropy_loss.py", ["SoftTargetCrossEntropyLoss"], given)
    load(wheel, "classy_vision/losses/label_smoothing_loss.py", ["LabelSmoothingCrossEntropyLoss"], given)
    parameter = float(case["id"].split("smoothing_param-")[1].split("/")[0])
    reduction = case["config"]["reduction"]
    criterion = given["LabelSmoothingCrossEntropyLoss"](reduction=reduction, smoothing_param=parameter)
    return by_autograd(case, criterion)
