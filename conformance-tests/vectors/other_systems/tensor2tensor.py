"""tensor2tensor's padded cross entropy; it computes in float32."""

import tensorflow.compat.v1 as tf

from .published import archive, load

SOURCE = (
    "tensor2tensor 1.15.7, tensor2tensor.layers.common_layers.padded_cross_entropy: its own code on tensorflow "
    "{tensorflow}, cpu, float32 as it has it, gradients by tf.gradients; the mean is the numerator over the denominator "
    "that it returns"
)
RELATIVE_ERROR = 2.0**-19
NAMES = ["padded_cross_entropy", "smoothing_cross_entropy", "weights_nonzero", "weights_all", "pad_with_zeros",
         "pad_to_same_length", "shape_list", "to_float"]


def questions(ask):
    padded = {"kind": "indices", "values": [4, 0, 1, 2, 5, 0, 0, 3]}
    given = {"shape": (2, 4, 6), "targets": padded, "ignore_index": [0], "subtract_entropy": True}
    for epsilon in (0.0, 0.1, 0.3):
        for reduce in ("mean", "sum"):
            ask(f"rate-{epsilon}/{reduce}", "epsilon-over-k", "ignored-id-is-a-class",
                smoothing=("uniform_others", epsilon), reduce=reduce, **given)
    ask("rate-0.1/none", "ignored-id-is-a-class", smoothing=("uniform_others", 0.1), reduce="none", **given)
    for reduce in ("mean", "sum"):
        ask(f"weights_fn/{reduce}", "row-weights", "row-weight-times-all", shape=(2, 3, 5), reduce=reduce,
            smoothing=("uniform_others", 0.1), row_weights=True, subtract_entropy=True)


def answer(case):
    floats = [float.fromhex(text) for text in case["logits"]["values"]]
    batch, steps, classes = case["logits"]["shape"]
    with tf.Graph().as_default(), tf.Session() as session:
        logits = tf.reshape(tf.constant(floats, tf.float64), [batch, steps, 1, 1, classes])
        labels = tf.constant(case["targets"]["values"], tf.int32, [batch, steps, 1, 1])
        given = load(archive("tensor2tensor==1.15.7"), "tensor2tensor/layers/common_layers.py", NAMES,
                     {"tf": tf, "FactoredTensor": type("FactoredTensor", (), {})})
        weights_fn = given["weights_nonzero"]
        if "row_weights" in case:
            weights = [float.fromhex(text) for text in case["row_weights"]]
            weights_fn = lambda labels: tf.constant(weights, tf.float32, labels.shape)  # noqa: E731
        reduction = case["config"]["reduction"]
        epsilon = float.fromhex(case["config"]["smoothing"]["epsilon"])
        loss, weight = given["padded_cross_entropy"](logits, labels, epsilon, weights_fn, reduction != "none")
        loss = tf.reshape(tf.cast(loss / weight if reduction == "mean" else loss, tf.float64), [-1])
        upstream = [float.fromhex(text) for text in case.get("upstream", ["0x1p+0"] * loss.shape[0])]
        (slope,) = tf.gradients(tf.reduce_sum(loss * tf.constant(upstream, tf.float64)), logits)
        loss, slope = session.run([loss, slope])
        return loss.tolist(), slope.reshape(-1).tolist()
