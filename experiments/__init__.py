"""Experiments, grouped by paper: each a claim, the settings that matter, and a short composition of stages."""
