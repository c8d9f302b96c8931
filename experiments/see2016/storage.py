"""A pruned model takes a fifth to a twentieth of its size on disk, depending on the codec (See et al. 2016, sec. 4.4).

    make experiment EXP=storage ARGS="--corpus.name text --corpus.train A.en A.de ... --title multi30k-en-de"

Rows: the baseline and the model retrained at 80%, without vocabularies: bytes under each codec, against float32 and the
order-0 entropy, and BLEU of the model that is read back; and the size alone of the paper's 216M weights, drawn at
random and pruned 80%. First seed only.
Settings (--recipe small): LSTM 2 x 256, dot attention, dropout 0.2; vocabulary unigram 8,000 | 4,000, sentences up to
50 tokens, source reversed; training adam 0.006 (cosine) x 8 epochs of batch 64, label smoothing 0.1; retraining adam
0.008 (cosine) x 6 epochs of batch 64, dropout by density, label smoothing 0.1; beam 5, length penalty 1.
Cost: one evaluation per codec, and for the paper's shape 1 to 2 minutes per codec and 4 GB of memory.
Expected: lossless over 5 times smaller, int8 over 14, a codebook of 16 over 21; the paper, dense with zeros, 2.9.
"""

from experiments.see2016.run import run
from experiments.see2016.study import READ_BACK, Config, Entry, Models, model_entry, percent
from seq2slim.recipes import RECIPES
from seq2slim.stages.evaluate import Compare
from seq2slim.stages.store import Store, StoreShape
from seq2slim.storage import CODECS
from seq2slim.storage.codecs import LOSSLESS

SPARSITY = 0.8


def main(config, runner):
    """Runs this experiment, and writes the report of the study from all stored rows."""
    run({"storage": entries}, config, runner)


def entries(config: Config, seed: int) -> list[Entry]:
    """Sizes of the first seed's models, BLEU after reading back, and sizes of the paper's shape."""
    if not config.is_first(seed):
        return []
    models, x, paper = Models(config, seed), percent(SPARSITY), RECIPES[config.paper]
    retrained = models.retrained(SPARSITY)
    made = [
        Entry(Store(models.baseline), {"part": "main", "model": "baseline", "percent": 0.0}),
        model_entry(models, "retrained", retrained, SPARSITY),
    ]
    for codec in CODECS:
        stored = Store(retrained, codec)
        made.append(Entry(stored, {"part": "main", "model": "retrained", "percent": x}))
        made.append(model_entry(models, "read back", stored, SPARSITY, codec=codec))
        if codec != LOSSLESS:
            compared = Compare(models.evaluate(retrained), models.evaluate(stored))
            made.append(Entry(compared, {"part": "main", "model": READ_BACK, "percent": x, "codec": codec}))
        of_paper = StoreShape(paper.model, paper.vocabulary.size, SPARSITY, codec)
        made.append(Entry(of_paper, {"part": "paper", "model": of_paper.model.preset, "percent": x}))
    return made
