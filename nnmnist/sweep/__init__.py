"""Many runs over a space of configs, with Optuna (the extra `sweep`).

plan.py reads what to do, space.py the values of each key. store.py and database.py (with
connection.py) keep the trials; worker.py trains them. Each trial is an ordinary run directory.
"""
