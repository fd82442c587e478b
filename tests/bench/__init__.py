"""The figures of the design, measured side by side in one run and told as ratios."""
