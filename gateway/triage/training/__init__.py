"""Training and evaluation of the triage models. Needs scikit-learn; serving imports nothing from here."""
