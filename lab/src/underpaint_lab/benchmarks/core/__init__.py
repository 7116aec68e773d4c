"""Result files, tables, plots and pages of every benchmark."""
