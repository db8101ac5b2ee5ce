"""What a class costs by its probability, and what is added to a row: each as its formula reads, with its derivative.

`of` turns a number of the file into one of these digits. Nothing here keeps precision; there are digits enough.
"""

from mpmath import inf, mp, mpf


def cost(likelihood, p, of):
    """phi(p)."""
    kind = likelihood["kind"]
    if kind == "negative_log":
        return minus_log(p)
    if kind == "focal":
        return (1 - p) ** of(likelihood["gamma"]) * minus_log(p) if p != 1 else mpf(0)
    alpha = of(likelihood["alpha"])
    if p >= 1 - alpha:
        return mpf(0)
    # The divergence from p of the nearest prediction that gives the target 1 - alpha.
    shares = [(1 - alpha, p), (alpha, 1 - p)]
    return sum((share * (mp.log(share) + minus_log(of_p)) for share, of_p in shares if share != 0), mpf(0))


def slope(likelihood, p, of):
    """h(p) = -p phi'(p)."""
    kind = likelihood["kind"]
    if kind == "negative_log":
        return mpf(1)
    if kind == "focal":
        gamma = of(likelihood["gamma"])
        if gamma == 0 or p == 0:
            return mpf(1)
        if p == 1:
            return mpf(0)
        return (1 - p) ** gamma - p * gamma * (1 - p) ** (gamma - 1) * mp.log(p)
    alpha = of(likelihood["alpha"])
    return mpf(0) if p >= 1 - alpha else (1 - alpha) - p * alpha / (1 - p)


def penalty(term, z, p, q, place, of):
    """The loss of an added term; `place` knows which logit is the maximum, and which are beyond the margin."""
    kind = term["kind"]
    if kind == "confidence":
        return of(term["strength"]) * sum((share * mp.log(share) for share in p if share != 0), mpf(0))
    if kind == "margin":
        excess = (z[place.maximum] - z[c] - of(term["margin"]) for c in place.beyond(of(term["margin"])))
        return of(term["strength"]) * sum(excess, mpf(0))
    if kind == "max_suppression":
        mean = sum(z[c] for c in place.there) / len(place.there)
        return of(term["strength"]) * (z[place.maximum] - mean)
    assert kind == "poly", kind
    return of(term["epsilon"]) * sum(share * (1 - of_p) for share, of_p in zip(q, p))


def penalty_slopes(term, p, q, place, of):
    """Its derivative by each logit."""
    kind, classes = term["kind"], range(len(p))
    if kind == "confidence":
        entropy = -sum((share * mp.log(share) for share in p if share != 0), mpf(0))
        return [of(term["strength"]) * share * (mp.log(share) + entropy) if share != 0 else mpf(0) for share in p]
    if kind == "margin":
        beyond = place.beyond(of(term["margin"]))
        slopes = [-of(term["strength"]) if c in beyond else mpf(0) for c in classes]
        slopes[place.maximum] += of(term["strength"]) * len(beyond)
        return slopes
    if kind == "max_suppression":
        slopes = [-of(term["strength"]) / len(place.there) if c in place.there else mpf(0) for c in classes]
        slopes[place.maximum] += of(term["strength"])
        return slopes
    assert kind == "poly", kind
    expected = sum(share * of_p for share, of_p in zip(q, p))
    return [of(term["epsilon"]) * of_p * (expected - share) for share, of_p in zip(q, p)]


class Place:
    """Where a row bends: fixed for the row, so that the first of equal maxima is the maximum, and a logit that is exactly
    at the margin is not beyond it, also a step away from there."""

    def __init__(self, z):
        self.z = z
        self.maximum = z.index(max(z))
        self.there = [c for c in range(len(z)) if z[c] != -inf]

    def beyond(self, margin):
        return [c for c in self.there if self.z[self.maximum] - self.z[c] > margin]


def binary_focal(likelihood, z, q, s, of):
    """The factor of an element's cross entropy and the derivative of that factor."""
    gamma, there, away = of(likelihood["gamma"]), s(z), s(-z)
    balance = mpf(1)
    if "alpha" in likelihood:
        balance = of(likelihood["alpha"]) * q + (1 - of(likelihood["alpha"])) * (1 - q)
    rest = 1 - (q * there + (1 - q) * away)
    if gamma == 0:
        return balance, mpf(0)
    if rest == 0:
        return mpf(0), mpf(0)
    rest_slope = -(q - (1 - q)) * there * away
    return balance * rest**gamma, balance * gamma * rest ** (gamma - 1) * rest_slope


def minus_log(p):
    return -mp.log(p) if p != 0 else inf
