"""What an experiment is made of: stages that run once, the runner that runs them, and the rows they yield."""
