"""Admission, settlement and ledger rows of model calls, for every surface alike. This package knows no surface."""
