"""Figures, drawn from result rows and series; called by the command line and the experiments alone."""
