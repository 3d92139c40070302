"""The whole experiment: profiles, the chain of stages, where runs are kept, records, replications, diagnosis."""
