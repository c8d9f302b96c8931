"""A trained model at work: its files, the search, and translation of text, line by line or as a teacher corpus."""

from seq2slim.inference.export import load_model_file
from seq2slim.inference.model_files import Model, load_model, save_model
from seq2slim.inference.search import make_search
from seq2slim.inference.translator import Hypothesis, Translator, load

__all__ = [
    "Hypothesis",
    "Model",
    "Translator",
    "load",
    "load_model",
    "load_model_file",
    "make_search",
    "save_model",
]
