"""One module a table or figure of the papers: a claim, a short composition of stages, a report."""
