"""timm's binary loss."""

import torch

from .published import archive, load
from .torch_answer import answer as by_autograd
from .torch_answer import numbers, rate

SOURCE = (
    "timm 1.0.31, timm/loss/binary_cross_entropy.py, BinaryCrossEntropy: its own code on torch {torch}, cpu, float64, "
    "gradients by autograd"
)
RELATIVE_ERROR = 2.0**-45


def questions(ask):
    for name, smoothing, targets in (("indices", "uniform", "indices"), ("dense", "uniform_half", "bits")):
        given = {"loss": "binary_cross_entropy", "shape": (4, 6), "targets": targets}
        for epsilon in (0.0, 0.1, 0.3):
            for reduce in ("mean-counted", "sum", "none"):
                ask(f"{name}/rate-{epsilon}/{reduce}", "bce-convention", smoothing=(smoothing, epsilon), reduce=reduce,
                    **given)
        given["smoothing"] = (smoothing, 0.1)
        ask(f"{name}/weight/mean-counted", "bce-convention", "weighted-mean", class_weights=True, reduce="mean-counted",
            **given)
        ask(f"{name}/weight+sum_classes/mean", "bce-convention", "external-denominator", class_weights=True, reduce="mean",
            denominator={"constant": 4.0}, **given)


def answer(case):
    given = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional}
    exec("from typing import Optional, Union", given)
    path = "timm/loss/binary_cross_entropy.py"
    loss = load(archive("timm==1.0.31"), path, ["BinaryCrossEntropy"], given)["BinaryCrossEntropy"]
    config, shape = case["config"], case["logits"]["shape"]
    weights = config.get("class_weights")
    criterion = loss(
        smoothing=rate(case),
        weight=None if weights is None else numbers(weights),
        reduction=config["reduction"],
        sum_classes=isinstance(config.get("denominator"), dict),
        smooth_dense=True,
    )
    if case["targets"]["kind"] == "probabilities":
        dense = numbers(case["targets"]["values"]).reshape(shape)
        return by_autograd({**case, "targets": {"values": [0] * shape[0]}}, lambda logits, _: criterion(logits, dense))
    return by_autograd(case, criterion)
