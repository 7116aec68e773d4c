"""PixInPix: pictures hidden in pictures, published and ours, and its baselines."""
