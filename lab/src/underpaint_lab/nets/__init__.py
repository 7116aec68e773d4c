"""Network architectures that several papers share."""
