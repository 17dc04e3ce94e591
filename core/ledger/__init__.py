"""The ledger: receipts of what Amberflo counted, rejected and cancelled; and how to read them by the time of usage.

A receipt is under the hour in which it was written. A reader of an hour of *usage* would have to read all receipts from
that hour until now, because usage may be reported late. So receipts are sorted: each
:mod:`run <amberflo_workflows.core.ledger.runs>` has usage of one hour, whenever it was counted.
"""
