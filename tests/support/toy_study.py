"""Options of the study of See et al. (2016) on the toy corpus."""

from experiments.see2016 import study
from seq2slim.data.corpora import CorpusConfig

TOY = CorpusConfig("reverse")


def config(**changes):
    """The study on the toy, full size otherwise."""
    return study.Config(**({"corpus": TOY, "headline": TOY, "small": TOY} | changes))
