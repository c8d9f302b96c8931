"""A stand-in for the PyTorch peers of the benchmark."""

import textwrap

# A peer that claims one token/s without huge pages, two with, and prints its arguments and environment.
FAKE_PEER = """
    import json, os, sys
    names = ("GLIBC_TUNABLES", "OPENBLAS_CORETYPE")
    facts = {"arguments": sys.argv[1:], "environment": {name: os.environ.get(name) for name in names}}
    speed = 2 if "GLIBC_TUNABLES" in os.environ else 1
    print("a line that is no result")
    print(json.dumps({"target_tokens_per_s": speed, "sentences_per_s": speed} | facts))
"""


def write_peers(folder, text=FAKE_PEER):
    for script in ("torch_train.py", "torch_beam.py"):
        (folder / script).write_text(textwrap.dedent(text))
    return folder
