"""Read the ledger: the receipts of what Amberflo counted, rejected and cancelled."""
