"""Knowledge distillation as in Kim & Rush (2016): the experiment, and its report."""
