"""Feature-based steganalysis: SPAM, SRM, FLD ensemble, simulated embedding."""
