"""Breaks of the ledger: what is written to it, what is read from it, and what is sent from it again."""

from typing import Final

from tests.mutants.mutant import Mutant

_RECEIPTS: Final = "tests/tasks/test_write_receipt.py"
_LEDGER_USAGES: Final = "tests/core/ledger/test_usages.py"
_RULES: Final = "tests/core/ledger/test_rules.py"
_TOTALS: Final = "tests/core/ledger/test_totals.py"
_STORE: Final = "tests/core/ledger/test_store.py"
_DRIFT: Final = "tests/core/ledger/test_comparison.py"
_PAGES: Final = "tests/core/ledger/test_record_page.py"
_REBUILT: Final = "tests/core/ledger/test_replay.py"
_SENT_AGAIN: Final = "tests/entrypoints/replay/test_send_usages_again.py"

_RECEIPT: Final = "tasks/write_receipt.py"
_PAGE: Final = "core/ledger/record_page.py"
_REPLAY: Final = "core/ledger/replay.py"

LEDGER: Final = (
    Mutant(
        "a receipt that is not written is ignored",
        "core/ledger/stream.py",
        "    except AwsError as error:\n        reason =",
        "    except AwsError as error:\n        return None\n        reason =",
    ),
    Mutant(
        "rejected usage is counted in the receipt", _RECEIPT, "if place in rejected_places:", "if False:", _RECEIPTS
    ),
    Mutant(
        "a receipt with another time",
        _RECEIPT,
        "event_time=reported.event_time",
        "event_time=step_input.time",
        _RECEIPTS,
    ),
    Mutant(
        "a redelivered record counts twice",
        "core/ledger/runs.py",
        "itemgetter(0, 1)",
        "itemgetter(0, 1, 2)",
        _LEDGER_USAGES,
    ),
    Mutant(
        "a cancelled record is added up",
        "core/ledger/totals.py",
        "if not usage.cancelled_by:",
        "if True:",
        _TOTALS,
    ),
    Mutant(
        "a replaced rule still cancels",
        "core/ledger/rules.py",
        "if earlier is None or",
        "if earlier is None and",
        _RULES,
    ),
    Mutant(
        "receipts of the hour before are not read",
        "core/ledger/store.py",
        "(RECEIPTS_PREFIX, start - MAX_BUFFER_SECONDS",
        "(RECEIPTS_PREFIX, start",
        _STORE,
    ),
    Mutant(
        "every difference is within the tolerance",
        "core/ledger/comparison.py",
        "rel_tol=_TOLERANCE",
        "rel_tol=1",
        _DRIFT,
    ),
    Mutant(
        "cancelled usage is sent again",
        "entrypoints/replay/send_usages_again.py",
        "if usage.cancelled_by:",
        "if usage.cancelled_by is None:",
        _SENT_AGAIN,
    ),
    Mutant(
        "a record is sent in another form", _REPLAY, "if _encode_record(reported) == usage.content", "if True", _REBUILT
    ),
    Mutant(
        "records of other tenants",
        "core/ledger/usages.py",
        "self._tenant in {None, record.customer_id}",
        "True",
        _PAGES,
    ),
    Mutant("a page has its first record again", _PAGE, "if after and after.digest and", "if False and", _PAGES),
    Mutant("a page skips the hour after it", _PAGE, "Position(next_hour * 1000)", "Position(next_hour * 1001)", _PAGES),
    Mutant("a later page reads earlier hours", _PAGE, "after.time // 1000 if after else ", "", _PAGES),
    Mutant("values are sent in any order", _REPLAY, "sorted(group, key=_get_first_time)", "group", _SENT_AGAIN),
)
