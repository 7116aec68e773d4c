"""Metrics that only papers and benchmarks need: ROC curves, intervals, verification."""
