"""Gradient descent in minibatches, and what it needs."""
