"""Other systems, each asked by a module: `questions` puts its cases, `answer` gives loss and gradient of one."""

SYSTEMS = [
    "burn", "classy_vision", "espnet", "fairseq", "keras", "megatron", "opennmt", "papers", "t5x", "tensor2tensor", "timm",
    "torchvision",
]
