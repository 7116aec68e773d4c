"""Conversion between PyTorch networks and the ONNX graphs of a zoo."""
