"""Experiments, grouped by paper: each has a claim, its settings and a short composition of stages."""
