"""Networks, and parts of them, that more than one paper uses or that mirror the runtime."""
