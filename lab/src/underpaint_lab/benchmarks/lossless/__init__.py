"""Tables on BASN and other methods whose containers must stay exact."""
