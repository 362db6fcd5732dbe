"""Long runs (`make soak`): each module has a `run` that returns figures, and a short share of it in `make test`."""
