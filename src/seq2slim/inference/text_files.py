"""The files of a Text stage: vocabularies and token ids."""

from pathlib import Path

from seq2slim.data.tokenised import TokenisedCorpus
from seq2slim.data.vocabulary import Vocabulary
from seq2slim.errors import Damaged
from seq2slim.runs.done import DONE

SOURCE_VOCABULARY, TARGET_VOCABULARY, TOKENISED = "source.vocabulary", "target.vocabulary", "tokenised"


def vocabularies(run_dir: Path) -> tuple[Vocabulary, Vocabulary]:
    """(source, target) vocabulary of a finished Text stage, or of a model, which keeps copies of them."""
    return Vocabulary.load(run_dir / SOURCE_VOCABULARY), Vocabulary.load(run_dir / TARGET_VOCABULARY)


def tokenised(run_dir: Path) -> TokenisedCorpus:
    """Token ids of a finished Text stage, memory-mapped. Raises: `Damaged` if they have changed."""
    try:
        return TokenisedCorpus.load(run_dir / TOKENISED)
    except (FileNotFoundError, ValueError) as error:
        raise Damaged(
            run_dir,
            f"the token ids in {run_dir} are damaged ({error}): remove {run_dir / DONE} and run its experiment again, "
            "which makes them from the text",
        ) from None
