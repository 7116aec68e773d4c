"""Robust hiding by pseudo-differentiable compression."""
