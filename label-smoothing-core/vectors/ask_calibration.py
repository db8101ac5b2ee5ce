#!/usr/bin/env python3
"""Writes calibration-scikit-learn.json: what scikit-learn answers for the inputs of calibration.json.

    python3 ask_calibration.py

Needs the packages of requirements-calibration.txt. From scikit-learn: `log_loss` (where no probability is below 2.2e-16, to
which it clips them), `brier_score_loss`, `calibration_curve`
with both strategies, and the temperature that `CalibratedClassifierCV(method="temperature")` fits, which is asked for
where there are two classes or more, every class is a target, and the minimum is not at an end.
"""

import json
from pathlib import Path

import numpy as np
from scipy.special import softmax
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import brier_score_loss, log_loss

HERE = Path(__file__).parent


class Logits(ClassifierMixin, BaseEstimator):
    """A classifier whose input is its decision function."""

    def __init__(self, classes):
        self.classes = classes
        self.classes_ = np.arange(classes)

    def fit(self, X, y):
        return self

    def decision_function(self, X):
        # Of a single decision z, scikit-learn makes the logits -z and z.
        return (X[:, 1] - X[:, 0]) / 2 if self.classes == 2 else X

    def predict(self, X):
        return X.argmax(axis=1)


def scores(case):
    z = np.array([[float(z) for z in row] for row in case["logits"]])
    y, classes = np.array(case["targets"]), z.shape[1]
    answer = {"name": case["name"]}
    if classes > 1:
        p, labels = softmax(z, axis=1), np.arange(classes)
        if p.min() > np.finfo(p.dtype).eps:  # smaller ones are clipped
            answer["nll"] = log_loss(y, p, labels=labels)
        answer["brier"] = brier_score_loss(y, p, labels=labels, scale_by_half=False)
        if np.isfinite(z).all() and not case["at_bound"] and set(y) == set(labels):
            fitted = CalibratedClassifierCV(FrozenEstimator(Logits(classes)), method="temperature", ensemble=False, cv=2)
            fitted.fit(z, y)
            answer["temperature"] = 1 / float(fitted.calibrated_classifiers_[0].calibrators[0].beta_)
    return answer


def curves(case):
    def curve(strategy):
        return [
            [list(side) for side in calibration_curve(case["correct"], case["confidences"], n_bins=b["bins"], strategy=strategy)]
            for b in case["equal_width"]
        ]

    if len(set(case["correct"])) < 2:
        return {"name": case["name"]}  # refused by scikit-learn
    return {"name": case["name"], "uniform": curve("uniform"), "quantile": curve("quantile")}


def main():
    cases = json.loads((HERE / "calibration.json").read_text())
    answers = {
        "predictions": [scores(case) for case in cases["predictions"]],
        "confidences": [curves(case) for case in cases["confidences"]],
    }
    text = json.dumps(answers).replace('{"name"', '\n{"name"') + "\n"
    (HERE / "calibration-scikit-learn.json").write_text(text)


if __name__ == "__main__":
    main()
