"""Knowledge distillation of Kim & Rush (2016): the experiment and its report."""
