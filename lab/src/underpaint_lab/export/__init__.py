"""Networks as ONNX graphs with their cards, and back."""
