"""The benchmark: our side, the PyTorch peers, and the processes that they run in."""
