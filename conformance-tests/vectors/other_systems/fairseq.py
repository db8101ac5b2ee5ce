"""fairseq's criterion, with a model that returns the case's logits."""

from dataclasses import dataclass, field

import torch

from .published import archive, load, unchanged
from .torch_answer import answer as by_autograd
from .torch_answer import rate

SOURCE = (
    "fairseq 0.12.2, LabelSmoothedCrossEntropyCriterion: its own code on torch {torch}, cpu, float64, gradients by "
    "autograd; the mean is the loss over the sample size that it returns"
)
RELATIVE_ERROR = 2.0**-45
PADDED = [4, 1, 0, 2, 5, 1, 1, 3]


def questions(ask):
    padded = {"kind": "indices", "values": PADDED}
    for epsilon in (0.0, 0.1, 0.3, 1.0):
        ask(f"tokens/rate-{epsilon}/mean", "epsilon-over-k", "ignored-rows-leave-the-mean", shape=(2, 4, 6),
            targets=padded, ignore_index=[1], smoothing=("uniform_others", epsilon), reduce="mean-counted")
    ask("tokens/sum", "ignored-id-is-a-class", shape=(4, 2, 6), targets=padded, ignore_index=[1],
        smoothing=("uniform_others", 0.1), reduce="sum")
    ask("tokens/none", "ignored-id-is-a-class", shape=(4, 2, 6), targets=padded, ignore_index=[1],
        smoothing=("uniform_others", 0.2), reduce="none")
    ask("tokens/another-padding/mean", "ignored-rows-leave-the-mean", shape=(2, 4, 6), targets=padded, ignore_index=[0],
        smoothing=("uniform_others", 0.1), reduce="mean-counted")
    ask("tokens/two-classes/mean", "epsilon-over-k", shape=(3, 2, 2), ignore_index=[-1],
        smoothing=("uniform_others", 0.1), reduce="mean-counted")
    for shape in ((2, 4, 6), (4, 2, 6)):
        ask(f"sentences/{shape[0]}/mean", "external-denominator", shape=shape, targets=padded, ignore_index=[1],
            smoothing=("uniform_others", 0.1), denominator={"constant": float(shape[0])}, reduce="mean")


def criterion(case, padding, sentence_avg):
    class FairseqCriterion(torch.nn.Module):
        def __init__(self, task):
            super().__init__()
            self.padding_idx = padding

    wheel = archive("fairseq==0.12.2", "--python-version=3.8", "--platform=manylinux1_x86_64")
    names = ["label_smoothed_nll_loss", "LabelSmoothedCrossEntropyCriterion"]
    given = {"torch": torch, "dataclass": dataclass, "field": field, "FairseqCriterion": FairseqCriterion,
             "register_criterion": unchanged, "LabelSmoothedCrossEntropyCriterionConfig": None}
    namespace = load(wheel, "fairseq/criterions/label_smoothed_cross_entropy.py", names, given)
    return namespace["LabelSmoothedCrossEntropyCriterion"](None, sentence_avg, rate(case))


def answer(case):
    config = case["config"]
    (padding,) = config["ignore_index"]

    def loss_of(logits, targets):
        class Model:
            def __call__(self):
                return logits

            def get_normalized_probs(self, output, log_probs):
                assert log_probs
                return torch.log_softmax(output, -1)

            def get_targets(self, sample, output):
                return sample["target"]

        sample = {"net_input": {}, "target": targets, "ntokens": int((targets != padding).sum())}
        per_sentence = isinstance(config.get("denominator"), dict)
        reduce = config["reduction"] != "none"
        loss, sample_size, _ = criterion(case, padding, per_sentence)(Model(), sample, reduce=reduce)
        return loss / sample_size if config["reduction"] == "mean" else loss

    return by_autograd(case, loss_of)
