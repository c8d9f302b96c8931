"""The study of See, Luong & Manning (2016): its experiments, the claims of the paper, and the report."""
