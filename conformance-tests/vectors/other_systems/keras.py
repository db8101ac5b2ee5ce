"""Keras's losses with masks and sample weights, on its torch backend."""

import os

os.environ["KERAS_BACKEND"] = "torch"

import keras  # noqa: E402
import torch  # noqa: E402

from .torch_answer import numbers, rate  # noqa: E402

SOURCE = (
    "keras {keras} on torch {torch}, cpu, float64 logits, CategoricalCrossentropy and BinaryCrossentropy with "
    "from_logits=True, gradients by autograd; masks as y_pred._keras_mask, averages in float32 where it takes them so"
)
RELATIVE_ERROR = 2.0**-20


def questions(ask):
    masked, nothing = [1, 0, 1, 1], [0, 0, 0, 0]
    for name, flag, loss, smoothing, targets in (
        ("categorical", "epsilon-over-k", "cross_entropy", "uniform", "probabilities"),
        ("binary", "bce-convention", "binary_cross_entropy", "uniform_half", "bits"),
    ):
        given = {"loss": loss, "shape": (4, 5), "targets": targets}
        for epsilon in (0.1, 0.3):
            ask(f"{name}/rate-{epsilon}/mean", flag, reduce="mean-counted", smoothing=(smoothing, epsilon), **given)
        given["smoothing"] = (smoothing, 0.1)
        for reduce in ("mean-counted", "mean"):
            ask(f"{name}/sample_weight/{reduce}", "row-weights", row_weights=True, reduce=reduce, **given)
            ask(f"{name}/sample_weight+mask/{reduce}", "row-weights", "ignored-rows-leave-the-mean", row_weights=True,
                row_mask=masked, reduce=reduce, **given)
        ask(f"{name}/mask/mean-counted", "ignored-rows-leave-the-mean", row_mask=masked, reduce="mean-counted", **given)
        ask(f"{name}/all-masked/mean-counted", "all-rows-ignored", row_mask=nothing, reduce="mean-counted",
            empty_mean="zero", **given)


def answer(case):
    config, shape = case["config"], case["logits"]["shape"]
    is_binary = case["loss"] == "binary_cross_entropy"
    by_weights = config.get("denominator", "weights") == "weights"
    loss = (keras.losses.BinaryCrossentropy if is_binary else keras.losses.CategoricalCrossentropy)(
        from_logits=True,
        label_smoothing=rate(case),
        reduction="mean_with_sample_weight" if by_weights else "sum_over_batch_size",
        dtype="float64",
    )
    logits = numbers(case["logits"]["values"]).reshape(shape).requires_grad_()
    predicted = logits * 1.0
    if "row_mask" in case:
        predicted._keras_mask = torch.tensor(case["row_mask"], dtype=torch.bool)
    weights = numbers(case["row_weights"]) if "row_weights" in case else None
    value = loss(numbers(case["targets"]["values"]).reshape(shape), predicted, sample_weight=weights)
    (value * numbers(case["upstream"])[0]).backward()
    return [float(value.detach())], logits.grad.reshape(-1).tolist()
