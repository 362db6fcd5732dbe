"""Scores of a customer: how likely they stay away, what they are worth, and their recency, frequency and value.

Pure and in closed form, so that a score is decided at every change and the instant of its next crossing is known.
Models are fitted elsewhere (regulars.adapters.fitting) and come here as one document (`model.ScoreModel`).
"""
