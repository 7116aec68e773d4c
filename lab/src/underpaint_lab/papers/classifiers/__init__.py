"""Training and release of the classifiers that BASN and DMV-JND need."""
