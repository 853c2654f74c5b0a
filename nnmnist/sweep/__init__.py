"""Many runs over a space of configs, by Optuna (the extra `sweep`).

plan.py says what is wanted, space.py over which values, store.py and database.py keep the trials,
worker.py trains them. Every trial is an ordinary run directory.
"""
