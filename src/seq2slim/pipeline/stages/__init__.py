"""The stages that experiments are composed of."""
