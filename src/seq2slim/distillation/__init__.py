"""What a student learns from: teacher corpora, the choice among n-best hypotheses, stored word distributions."""
