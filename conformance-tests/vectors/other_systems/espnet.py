"""ESPnet's loss."""

import torch

from .published import archive, load
from .torch_answer import answer as by_autograd
from .torch_answer import rate

SOURCE = (
    "espnet 202511, espnet.nets.pytorch_backend.transformer.label_smoothing_loss.LabelSmoothingLoss: its own code on torch "
    "{torch}, cpu, float64, gradients by autograd"
)
RELATIVE_ERROR = 2.0**-45


def questions(ask):
    padded = {"kind": "indices", "values": [4, -1, 0, 2, 5, -1, -1, 3]}
    given = {"shape": (2, 4, 6), "targets": padded, "ignore_index": [-1], "subtract_entropy": True}
    for epsilon in (0.0, 0.1, 0.3, 1.0):
        ask(f"batch/rate-{epsilon}/mean", "epsilon-over-k", "external-denominator", smoothing=("uniform_others", epsilon),
            denominator={"constant": 2.0}, **given)
        ask(f"tokens/rate-{epsilon}/mean", "ignored-rows-leave-the-mean", smoothing=("uniform_others", epsilon),
            reduce="mean-counted", **given)
    ask("batch/padding-is-a-class/mean", "ignored-id-is-a-class", smoothing=("uniform_others", 0.1), shape=(4, 2, 6),
        targets={"kind": "indices", "values": [4, 0, 0, 2, 5, 1, 0, 3]}, ignore_index=[0], subtract_entropy=True,
        denominator={"constant": 4.0})


def answer(case):
    path = "espnet/nets/pytorch_backend/transformer/label_smoothing_loss.py"
    given = {"torch": torch, "nn": torch.nn}
    loss = load(archive("espnet==202511"), path, ["LabelSmoothingLoss"], given)["LabelSmoothingLoss"]
    config = case["config"]
    (padding,), classes = config["ignore_index"], case["logits"]["shape"][-1]
    per_token = config["denominator"] == "counted"
    return by_autograd(case, loss(classes, padding, rate(case), normalize_length=per_token))
