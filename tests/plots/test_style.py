"""Figures do not change pyplot's backend: a notebook that imports them still draws inline."""

import subprocess
import sys


def test_the_backend_of_whoever_draws_stays():
    """In a separate process: only the first import counts."""
    program = """
import matplotlib
matplotlib.use("svg")
from seq2slim.plots import style
style.figure("x", "y")
style.panels(2, 1)
print(matplotlib.get_backend(), "matplotlib.pyplot" in __import__("sys").modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["svg", "False"]
