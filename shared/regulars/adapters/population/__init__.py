"""Everybody at once: a snapshot of all customers in Parquet, and a program's rules over it as SQL."""
