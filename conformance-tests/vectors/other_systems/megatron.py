"""Megatron's loss on one rank, with all of the vocabulary; it computes in float32."""

import tempfile
from typing import Sequence, Tuple

import torch

from .published import archive, load
from .torch_answer import answer as by_autograd
from .torch_answer import numbers, rate

SOURCE = (
    "megatron-core 0.15.0, vocab_parallel_cross_entropy: its own code on torch {torch}, cpu, one rank (gloo), float32 as it "
    "has it, gradients by its own backward; the mean is over the loss mask, as its training loop has it"
)
RELATIVE_ERROR = 2.0**-20


def questions(ask):
    for epsilon in (0.0, 0.1, 0.3):
        ask(f"rate-{epsilon}/none", "epsilon-over-k", shape=(3, 2, 6), smoothing=("uniform_others", epsilon),
            reduce="none")
        ask(f"rate-{epsilon}/loss-mask/mean", "ignored-rows-leave-the-mean", shape=(3, 2, 6),
            smoothing=("uniform_others", epsilon), row_mask=[1, 0, 1, 1, 0, 1])
    ask("loss-mask-of-fractions/mean", "row-weights", shape=(3, 2, 6), smoothing=("uniform_others", 0.1), row_weights=True)
    ask("two-classes/none", "epsilon-over-k", shape=(2, 2, 2), smoothing=("uniform_others", 0.1), reduce="none")
    ask("loss-mask/tokens-of-all-batches/mean", "external-denominator", shape=(3, 2, 6), row_mask=[1, 0, 1, 1, 0, 1],
        smoothing=("uniform_others", 0.1), denominator={"constant": 11.0})


def one_rank():
    """The code with a group of one process."""
    if not torch.distributed.is_initialized():
        meeting = "file://" + tempfile.mkdtemp(prefix="label-smoothing-") + "/meeting"
        torch.distributed.init_process_group("gloo", init_method=meeting, rank=0, world_size=1)
    wheel = archive("megatron-core==0.15.0")
    given = {"torch": torch, "Tuple": Tuple, "Sequence": Sequence, "divide": None,
             "get_tensor_model_parallel_group": lambda: torch.distributed.group.WORLD,
             "get_tensor_model_parallel_rank": lambda: 0, "get_tensor_model_parallel_world_size": lambda: 1}
    load(wheel, "megatron/core/tensor_parallel/utils.py", ["VocabUtility"], given)
    names = ["VocabParallelCrossEntropy", "_VocabParallelCrossEntropy", "vocab_parallel_cross_entropy"]
    load(wheel, "megatron/core/tensor_parallel/cross_entropy.py", names, given)
    return given["vocab_parallel_cross_entropy"]


def answer(case):
    def loss_of(logits, targets):
        # The code overwrites what it is given where that is float32 already.
        losses = one_rank()(logits.float().clone(), targets, rate(case))
        if case["config"]["reduction"] == "none":
            return losses
        mask = case.get("row_mask") or [1] * targets.numel()
        mask = torch.tensor(mask, dtype=torch.float64).reshape(targets.shape)
        if "row_weights" in case:
            mask = numbers(case["row_weights"]).reshape(targets.shape)
        constant = case["config"].get("denominator", {}).get("constant")
        tokens = float.fromhex(constant) if constant else mask.sum()
        return (losses.double() * mask).sum() / tokens

    return by_autograd(case, loss_of)
