"""T5X's loss, of which no package is published: its source followed line by line in 60 digits.

The source: t5x/losses.py at commit 08058ed51b04fcc4d7906593bb765105501eacc5, compute_weighted_cross_entropy and
cross_entropy_with_logits with its own backward pass, get_loss_normalizing_factor_and_weights.
"""

from mpmath import mp, mpf

SOURCE = (
    "t5x at commit 08058ed, compute_weighted_cross_entropy: not run, for no package holds it, but transcribed from its "
    "published source in 60 digits (mpmath {mpmath}), the gradient by its own backward formula, rounded to float64"
)
RELATIVE_ERROR = 2.0**-45
DIGITS = 60


def questions(ask):
    given = {"shape": (2, 4, 6), "subtract_entropy": True}
    for epsilon in (0.0, 0.1, 0.3):
        for z_loss in (0.0, 0.0625):
            ask(f"rate-{epsilon}/z_loss-{z_loss}/sum", "epsilon-over-k", "row-weight-times-all", row_weights=True,
                smoothing=("uniform_others", epsilon), z_loss=z_loss, reduce="sum", **given)
    ask("constant/mean", "external-denominator", row_weights=True, smoothing=("uniform_others", 0.1), z_loss=0.0625,
        denominator={"constant": 96.0}, **given)
    ask("num_real_target_tokens/mean", "row-weights", row_mask=[1, 1, 1, 0, 1, 0, 0, 0], z_loss=0.0625,
        smoothing=("uniform_others", 0.1), **given)
    ask("num_total_target_tokens/mean", "row-weights", row_mask=[1, 1, 1, 0, 1, 0, 0, 0], z_loss=0.0625,
        smoothing=("uniform_others", 0.1), reduce="mean-all", **given)
    # Each of two sequences of 4 and 2 real tokens counts the same.
    ask("average_per_sequence/mean", "row-weights", row_weights=[0.25] * 4 + [0.5, 0.5, 0.0, 0.0], z_loss=0.0625,
        smoothing=("uniform_others", 0.1), **given)


def number(text):
    return mpf(float.fromhex(text))


def answer(case):
    with mp.workdps(DIGITS):
        return weighted_cross_entropy(case)


def weighted_cross_entropy(case):
    config, (batch, length, vocab_size) = case["config"], case["logits"]["shape"]
    tokens = batch * length
    logits = [number(text) for text in case["logits"]["values"]]
    logits = [logits[row * vocab_size : (row + 1) * vocab_size] for row in range(tokens)]
    weights = [mpf(bit) for bit in case.get("row_mask", [1] * tokens)]
    weights = [number(text) for text in case["row_weights"]] if "row_weights" in case else weights
    z_loss = number(config.get("z_loss", "0x0p+0"))

    confidence = 1 - number(config["smoothing"]["epsilon"])
    low_confidence = (1 - confidence) / (vocab_size - 1)
    normalizing_constant = -(
        confidence * mp.log(confidence) + (vocab_size - 1) * low_confidence * mp.log(low_confidence + mpf(10) ** -20)
    )
    factor = normalizing_factor(config, tokens, weights)
    upstream = number(case.get("upstream", ["0x1p+0"])[0])
    total, gradient = mpf(0), []
    for z, target, weight in zip(logits, case["targets"]["values"], weights):
        soft_target = [confidence if c == target else low_confidence for c in range(vocab_size)]
        sum_exp = sum(mp.exp(value) for value in z)
        log_z = mp.log(sum_exp)
        loss = -sum(share * (value - log_z) for share, value in zip(soft_target, z)) + z_loss * log_z**2
        total += (loss - normalizing_constant) * weight / factor
        of_softmax = 1 + 2 * z_loss * log_z
        deriv = [of_softmax * mp.exp(value) / sum_exp - share for share, value in zip(soft_target, z)]
        gradient += [upstream * weight / factor * slope for slope in deriv]
    return [float(total)], [float(slope) for slope in gradient]


def normalizing_factor(config, tokens, weights):
    """What get_loss_normalizing_factor_and_weights gives: a constant, the tokens, or the sum of the weights."""
    if config["reduction"] == "sum":
        return mpf(1)
    denominator = config.get("denominator", "weights")
    if denominator == "all":
        return mpf(tokens)
    return sum(weights) if denominator == "weights" else number(denominator["constant"])
