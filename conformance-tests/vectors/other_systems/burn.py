"""burn's loss, by the program in the folder burn; it computes in float32."""

import json
import pathlib
import subprocess

SOURCE = (
    "burn 0.22.1 (flex), burn::nn::loss::CrossEntropyLoss: itself, by the program in other_systems/burn, cpu, float32, "
    "gradients by burn's autodiff"
)
RELATIVE_ERROR = 2.0**-20
MANIFEST = pathlib.Path(__file__).parent / "burn" / "Cargo.toml"
TENTH = float.fromhex("0x1.99999ap-4")  # its rates are float32


def questions(ask):
    padded = {"kind": "indices", "values": [4, 0, 1, 2, 5, 0, 0, 3]}
    for epsilon in (0.0, TENTH, 0.25, 1.0):
        for name, flag, given in (
            ("plain", "epsilon-over-k", {}),
            ("weights", "weights-inside-the-sum", {"class_weights": True}),
            ("pad_tokens", "ignored-rows-leave-the-mean", {"targets": padded, "ignore_index": [0]}),
            ("two-pad_tokens+weights", "weights-meet-ignore",
             {"targets": padded, "ignore_index": [0, 5], "class_weights": True}),
        ):
            ask(f"{name}/rate-{epsilon:.3g}/mean", flag, shape=(8, 6), smoothing=("uniform", epsilon), upstream=None,
                **given)


def answer(case):
    def floats(texts):
        return None if texts is None else [float.fromhex(text) for text in texts]

    config, (rows, classes) = case["config"], case["logits"]["shape"]
    question = {
        "rows": rows,
        "classes": classes,
        "logits": floats(case["logits"]["values"]),
        "targets": case["targets"]["values"],
        "smoothing": float.fromhex(config["smoothing"]["epsilon"]),
        "weights": floats(config.get("class_weights")),
        "pad_tokens": config.get("ignore_index"),
    }
    command = ["cargo", "run", "--quiet", "--locked", "--manifest-path", str(MANIFEST)]
    made = subprocess.run(command, input=json.dumps(question) + "\n", capture_output=True, text=True, check=True)
    found = json.loads(made.stdout)
    return [found["loss"]], found["gradient"]
