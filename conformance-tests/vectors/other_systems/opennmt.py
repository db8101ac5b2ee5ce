"""The loss of OpenNMT-py up to version 2: from version 3 on it is PyTorch's."""

import torch

from .published import archive, load
from .torch_answer import answer as by_autograd
from .torch_answer import divided, rate

SOURCE = (
    "OpenNMT-py 2.3.0, onmt.utils.loss.LabelSmoothingLoss: its own code on torch {torch}, cpu, float64, gradients by "
    "autograd; the mean divides its sum by the tokens or sentences, as its trainer does"
)
RELATIVE_ERROR = 2.0**-45


def questions(ask):
    for padding in (0, 1, 5):
        values = [padding if place in (1, 4, 7) else place % 6 for place in range(8)]
        given = {"shape": (8, 6), "targets": {"kind": "indices", "values": values}, "ignore_index": [padding],
                 "excluded_classes": [padding], "subtract_entropy": True}
        for epsilon in (0.1, 0.3, 1.0):
            ask(f"padding-{padding}/rate-{epsilon}/sum", "excluded-classes-leave-k", "ignored-id-is-a-class",
                smoothing=("uniform_others", epsilon), reduce="sum", **given)
        ask(f"padding-{padding}/tokens/mean", "ignored-rows-leave-the-mean", smoothing=("uniform_others", 0.1),
            reduce="mean-counted", **given)
        ask(f"padding-{padding}/sentences/mean", "external-denominator", smoothing=("uniform_others", 0.1),
            denominator={"constant": 4.0}, reduce="mean", **given)


def answer(case):
    given = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional}
    wheel = archive("OpenNMT-py==2.3.0")
    loss = load(wheel, "onmt/utils/loss.py", ["LabelSmoothingLoss"], given)["LabelSmoothingLoss"]
    (padding,) = case["config"]["ignore_index"]
    criterion = loss(rate(case), case["logits"]["shape"][-1], ignore_index=padding)

    def loss_of(logits, targets):
        return divided(case, criterion(torch.log_softmax(logits, -1), targets), int((targets != padding).sum()))

    return by_autograd(case, loss_of)
