"""Numbers: how files write them, rounding, and a seeded source of them."""

import math

MASK = (1 << 64) - 1


def to_hex(value):
    """A binary64 as the shortest C99 hexadecimal float."""
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if value == 0:
        return "-0x0p+0" if math.copysign(1, value) < 0 else "0x0p+0"
    mantissa, exponent = float(value).hex().split("p")
    return f"{mantissa.rstrip('0').rstrip('.')}p{exponent}"


def round_to_bits(value, bits):
    """The nearest number with so many significant bits, ties to even (8: bfloat16, 24: float32; no range limit)."""
    if value == 0 or math.isinf(value) or math.isnan(value):
        return value
    mantissa, exponent = math.frexp(value)
    return math.ldexp(round(math.ldexp(mantissa, bits)), exponent - bits)


def bf16(value):
    """Rounded to bfloat16's eight bits."""
    return round_to_bits(value, 8)


def f32(value):
    """Rounded to float32's 24 bits."""
    return round_to_bits(value, 24)


class Draw:
    """Numbers drawn by splitmix64, seeded with a case's id, so that no case depends on another."""

    def __init__(self, seed):
        self.state = 0xCBF29CE484222325
        for byte in seed.encode():  # FNV-1a
            self.state = ((self.state ^ byte) * 0x100000001B3) & MASK

    def bits(self):
        """64 random bits."""
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        mixed = self.state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
        return mixed ^ (mixed >> 31)

    def below(self, limit):
        """An integer from 0 to limit - 1."""
        return self.bits() % limit

    def between(self, low, high):
        """A binary64 in [low, high)."""
        return low + (high - low) * (self.bits() >> 11) / (1 << 53)

    def choice(self, items):
        """One of the items."""
        return items[self.below(len(items))]

    def chance(self, parts, whole):
        """True in `parts` of `whole` draws."""
        return self.below(whole) < parts

    def logits(self, count, spread=4.0, rounding=bf16):
        """Logits between -spread and spread."""
        return [rounding(self.between(-spread, spread)) for _ in range(count)]

    def classes(self, count, classes):
        """Target indices."""
        return [self.below(classes) for _ in range(count)]

    def weights(self, count, low=0.25, high=4.0):
        """Positive weights."""
        return [bf16(self.between(low, high)) for _ in range(count)]

    def upstream(self, count):
        """Upstream gradients of either sign, away from 0 and 1."""
        return [bf16(self.between(0.25, 3.0)) * self.choice([1, 1, -1]) for _ in range(count)]

    def simplex(self, classes, zeros=False):
        """A distribution in bfloat16 whose sum is exactly 1; with `zeros`, some of its entries may be 0."""
        units = 4 << max(0, (classes - 1).bit_length())
        counts = [0 if zeros else 1] * classes
        left = units - sum(counts)
        while left:
            place, share = self.below(classes), min(left, 1 + self.below(3))
            if bf16(counts[place] + share) == counts[place] + share:
                counts[place] += share
                left -= share
        return [count / units for count in counts]
