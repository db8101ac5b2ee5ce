"""What the systems on PyTorch share: a case's tensors, and the answer by autograd."""

import torch

torch.set_default_dtype(torch.float64)


def numbers(texts):
    """Numbers of a file as a tensor."""
    return torch.tensor([float.fromhex(text) for text in texts])


def answer(case, loss_of):
    """The loss, or losses, of `loss_of(logits, targets)`, and their gradient; logits and targets in the case's shape."""
    shape = case["logits"]["shape"]
    logits = numbers(case["logits"]["values"]).reshape(shape).requires_grad_()
    targets = torch.tensor(case["targets"]["values"]).reshape(shape[:-1])
    losses = loss_of(logits, targets).reshape(-1)
    (losses.double() * numbers(case.get("upstream", ["0x1p+0"] * len(losses)))).sum().backward()
    return losses.tolist(), logits.grad.reshape(-1).tolist()


def rate(case):
    """The rate of a case."""
    return float.fromhex(case["config"]["smoothing"]["epsilon"])


def divided(case, total, counted):
    """A sum, or the mean of it that the case asks for."""
    if case["config"]["reduction"] == "sum":
        return total
    denominator = case["config"]["denominator"]
    return total / (counted if denominator == "counted" else float.fromhex(denominator["constant"]))
