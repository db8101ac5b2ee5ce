#!/usr/bin/env python3
"""Writes packages.json: what published Python packages compute for the same targets and losses, by running them.

    python3 packages.py            writes the file
    python3 packages.py --check    exits 1 if a figure is off the file's by more than 1e-7 (processors differ in the last bits)

Needs the packages of requirements-packages.txt. Of TRL, which trains language models and takes much to run, the two
losses are taken out of its installed source and run as they stand. One case a line, as in soft-targets.json.
"""

import ast
import importlib.metadata
import importlib.util
import json
import math
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

sys.dont_write_bytecode = True

import jax  # noqa: E402

jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from dlordinal import soft_labelling  # noqa: E402
from hl_gauss_pytorch import HLGaussLoss  # noqa: E402
from hl_gauss_pytorch.hl_gauss import HLGaussLossFromSupport  # noqa: E402
from rlax._src import transforms  # noqa: E402

from soft_targets import CENTRES, EDGES, EVEN, PAIRS  # noqa: E402

FILE = Path(__file__).with_name("packages.json")
F64 = torch.float64


def dlordinal():
    for classes in (2, 3, 5, 10):
        yield "binomial", {"classes": classes}, soft_labelling.get_binomial_soft_labels(classes)
        yield "poisson", {"classes": classes}, soft_labelling.get_poisson_soft_labels(classes)
        for power, tau in ((1.0, 1.0), (1.5, 1.0), (2.0, 0.5)):
            rows = soft_labelling.get_exponential_soft_labels(classes, p=power, tau=tau)
            yield "exponential", {"classes": classes, "power": power, "tau": tau}, rows
        for adjacent in (0.01, 0.05, 0.2):
            rows = soft_labelling.get_triangular_soft_labels(classes, alpha2=adjacent)
            yield "triangular", {"classes": classes, "adjacent": adjacent}, rows


def dlordinal_sord():
    """The targets of its SORDLoss, read off the gradient at equal logits, 1/K - q."""
    from dlordinal.losses.sord import SORDLoss

    for classes, alpha in ((3, 1.0), (6, 0.7)):
        rows = []
        for target in range(classes):
            logits = torch.zeros(1, classes, dtype=F64, requires_grad=True)
            SORDLoss(alpha, classes, torch.arange(classes))(logits, torch.tensor([target])).backward()
            rows.append([1 / classes - slope for slope in logits.grad[0].tolist()])
        yield "sord", {"classes": classes, "alpha": alpha, "power": 1}, rows


def hl_gauss_pytorch():
    values = [-2.0, -0.3, 0.0, 1.25, 2.0]
    for sigma in (0.75, 2.0):
        loss = HLGaussLoss(-2.0, 2.0, 4, sigma_to_bin_ratio=sigma)
        rows = loss.transform_to_probs(torch.tensor(values, dtype=F64))
        yield "hl_gauss", {"edges": EVEN, "scale": "linear", "sigma_in_bins": sigma, "values": values}, rows
    values = [-3.0, -1.0, 0.1, 1.9]
    loss = HLGaussLossFromSupport(EDGES, sigma_to_bin_ratio=0.75)
    rows = loss.transform_to_probs(torch.tensor(values, dtype=F64))
    yield "hl_gauss", {"edges": EDGES, "scale": "linear", "sigma_in_bins": 0.75, "values": values}, rows
    # Its support of symlogs is rounded to float32 where it begins; these edges are not.
    values = [-6.0, -0.5, 0.0, 3.0]
    loss = HLGaussLossFromSupport(EVEN, sigma_to_bin_ratio=0.75, use_symlog=True)
    rows = loss.transform_to_probs(torch.tensor(values, dtype=F64))
    yield "hl_gauss", {"edges": EVEN, "scale": "symlog", "sigma_in_bins": 0.75, "values": values}, rows
    probabilities = [0.125, 0.25, 0.5, 0.125]
    back = loss.transform_from_probs(torch.tensor(probabilities, dtype=F64)).item()
    centres = [-1.5, -0.5, 0.5, 1.5]
    yield "expected_value", {"centres": centres, "scale": "symlog", "probabilities": probabilities}, [[back]]


def rlax():
    values = [-2.0, -0.3, 0.1, 1.75, 2.0]
    rows = transforms.transform_to_2hot(jnp.array(values), -2.0, 2.0, 5)
    yield "two_hot", {"centres": EVEN, "scale": "linear", "values": values}, rows
    values = [-2.1, 0.1, 0.5, 9.5, 10.0]
    rows = transforms.transform_to_2hot_nonlinear(jnp.array(values), jnp.array(CENTRES))
    yield "two_hot", {"centres": CENTRES, "scale": "linear", "values": values}, rows
    probabilities = [0.1, 0.2, 0.3, 0.15, 0.25]
    back = transforms.transform_from_2hot_nonlinear(jnp.array(probabilities), jnp.array(CENTRES))
    yield "expected_value", {"centres": CENTRES, "scale": "linear", "probabilities": probabilities}, [[float(back[0])]]


def trl_source(module):
    folder = Path(importlib.util.find_spec("trl").origin).parent
    return ast.parse((folder / module).read_text())


def trl_robust(beta, epsilon, delta):
    """The branch of DPOTrainer for the loss type `robust`."""
    for node in ast.walk(trl_source("trainer/dpo_trainer.py")):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "loss_type == 'robust'":
            names = {"F": F, "delta_score": delta, "self": SimpleNamespace(beta=beta, label_smoothing=epsilon)}
            exec("\n".join(map(ast.unparse, node.body)), names)
            return names["per_sequence_loss"]
    raise LookupError("TRL has no branch for `robust`")


def trl_conservative(beta, epsilon, delta):
    """CPOTrainer.cpo_loss with the loss type `sigmoid`, its logits those of DPO: TRL's DPOTrainer has no smoothing there."""
    for node in ast.walk(trl_source("experimental/cpo/cpo_trainer.py")):
        if isinstance(node, ast.FunctionDef) and node.name == "cpo_loss":
            names = {"torch": torch, "F": F}
            exec(textwrap.dedent(ast.unparse(node)), names)
            settings = {"beta": beta, "label_smoothing": epsilon, "loss_type": "sigmoid", "alpha": 0.0}
            trainer = SimpleNamespace(accelerator=SimpleNamespace(device="cpu"), **settings)
            return names["cpo_loss"](trainer, delta, torch.zeros_like(delta))[0]
    raise LookupError("TRL has no cpo_loss")


def trl():
    for kind, loss in (("conservative", trl_conservative), ("robust", trl_robust)):
        for beta, epsilon in ((0.1, 0.0), (0.1, 0.1), (0.5, 0.4375)):
            chosen, rejected, *reference = (torch.tensor(terms, dtype=F64) for terms in zip(*PAIRS))
            chosen.requires_grad, rejected.requires_grad = True, True
            rewards = beta * (chosen - reference[0]), beta * (rejected - reference[1])
            losses = loss(beta, epsilon, (chosen - reference[0]) - (rejected - reference[1]))
            losses.sum().backward()
            columns = losses, *rewards, chosen.grad, rejected.grad
            rows = [[column[row].item() for column in columns] for row in range(len(PAIRS))]
            yield "preference", {"kind": kind, "beta": beta, "epsilon": epsilon, "pairs": PAIRS}, rows


PACKAGES = {
    "dlordinal": [dlordinal, dlordinal_sord],
    "hl-gauss-pytorch": [hl_gauss_pytorch],
    "rlax": [rlax],
    "trl": [trl],
}


def written(value):
    if isinstance(value, (list, tuple)):
        return [written(item) for item in value]
    return repr(value) if isinstance(value, float) else value


def cases():
    for package, sources in PACKAGES.items():
        name = f"{package} {importlib.metadata.version(package)}"
        for source in sources:
            for builder, given, rows in source():
                rows = [[float(value) for value in row] for row in rows]
                given = {key: written(value) for key, value in given.items()}
                yield {"package": name, "builder": builder, "given": given, "rows": written(rows)}


def same(a, b):
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return math.isclose(float(a), float(b), rel_tol=1e-7, abs_tol=1e-9)


def main():
    made = list(cases())
    if sys.argv[1:] == ["--check"]:
        file = json.loads(FILE.read_text())
        what = lambda case: (case["package"], case["builder"], case["given"])
        for old, new in zip(file, made, strict=True):
            if what(old) != what(new) or not same(old["rows"], new["rows"]):
                sys.exit(f"{new['package']} does not give what {FILE.name} has: {new['builder']} {new['given']}")
    else:
        FILE.write_text("[\n" + ",\n".join(map(json.dumps, made)) + "\n]\n")


if __name__ == "__main__":
    main()
