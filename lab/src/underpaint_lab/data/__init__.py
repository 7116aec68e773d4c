"""Data sets: photographs, CIFAR-10, faces, labelled pictures, pairs."""
