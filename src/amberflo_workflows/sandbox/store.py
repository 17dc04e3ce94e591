"""The sandbox's data in DuckDB: usage records as received, filtering rules, meters and customers.

Records are only appended. Duplicates, cancellations and rules take effect when usage is read, as Amberflo's
documentation says. New records wait in memory until the next read or the next second. They are also in a journal,
from which the next start loads them if this process is killed.
"""

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import duckdb

from amberflo_workflows.sandbox.journal import Record, UsageJournal

FLUSH_SECONDS: Final = 1.0
_SCHEMA: Final = """
CREATE SEQUENCE IF NOT EXISTS arrival;
CREATE TABLE IF NOT EXISTS records (
  seq BIGINT DEFAULT nextval('arrival'), meter VARCHAR, customer VARCHAR, at_ms BIGINT, value DOUBLE,
  unique_id VARCHAR, dimensions VARCHAR, ingested DOUBLE, cancels BOOLEAN);
CREATE TABLE IF NOT EXISTS rules (id VARCHAR PRIMARY KEY, body VARCHAR, meter VARCHAR, since BIGINT, until BIGINT,
  made DOUBLE);
CREATE TABLE IF NOT EXISTS documents (kind VARCHAR, id VARCHAR, body VARCHAR, PRIMARY KEY (kind, id));
"""
_INSERT: Final = """
INSERT INTO records (meter, customer, at_ms, value, unique_id, dimensions, ingested, cancels)
SELECT unnest($1::VARCHAR[]), unnest($2::VARCHAR[]), unnest($3::BIGINT[]), unnest($4::DOUBLE[]),
  unnest($5::VARCHAR[]), unnest($6::VARCHAR[]), unnest($7::DOUBLE[]), unnest($8::BOOLEAN[])
"""


class Store:
    """One database; thread-safe."""

    def __init__(self, path: Path | None) -> None:
        """Open or create the database at ``path``; ``None`` means in memory."""
        self._database = duckdb.connect(str(path) if path else ":memory:")
        self._database.execute(_SCHEMA)
        self._lock = threading.RLock()
        self._journal = UsageJournal(path.with_suffix(".journal")) if path else None
        self._pending = self._journal.load() if self._journal else []
        self._closed = threading.Event()
        threading.Thread(target=self._flush_periodically, daemon=True).start()

    def add(self, records: Sequence[Record]) -> None:
        """Add records. Once this returns, they are not lost if the process is killed."""
        with self._lock:
            if self._journal:
                self._journal.append(records)
            self._pending.extend(records)

    def delete(self, meter: str | None, customer: str | None, unique_ids: Sequence[str] | None) -> int:
        """Delete the records of a meter, of a customer and with some ids, or of any, and return their number."""
        with self._lock:
            self._flush()
            ((count,),) = self._database.execute(
                "DELETE FROM records WHERE ($1 IS NULL OR meter = $1) AND ($2 IS NULL OR customer = $2) "
                "AND ($3 IS NULL OR list_contains($3::VARCHAR[], unique_id))",
                [meter, customer, unique_ids],
            ).fetchall()
            return int(count)

    def list_distinct(self) -> list[Record]:
        """Each distinct record as it was first received, in the order of arrival."""
        rows = self.query(
            "SELECT meter, customer, at_ms, value, unique_id, dimensions, min(ingested), cancels FROM records "
            "GROUP BY ALL ORDER BY min(seq)"
        )
        return [Record(*row) for row in rows]

    def query(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[tuple[Any, ...]]:
        """Run a query over all data, including pending records."""
        with self._lock:
            self._flush()
            rows: list[tuple[Any, ...]] = self._database.execute(sql, parameters).fetchall()
            return rows

    def put_rule(self, rule: dict[str, Any]) -> None:
        """Store a filtering rule under its id."""
        window = rule["ingestionTimeRange"]
        values = [rule["id"], json.dumps(rule), rule["meterApiName"], window["startTimeInSeconds"]]
        values += [window["endTimeInSeconds"], time.time()]
        with self._lock:
            self._database.execute("INSERT OR REPLACE INTO rules VALUES ($1, $2, $3, $4, $5, $6)", values)

    def documents(self, kind: str) -> dict[str, dict[str, Any]]:
        """All documents of a kind (meters or customers) by id."""
        rows = self.query("SELECT id, body FROM documents WHERE kind = $1 ORDER BY rowid", [kind])
        return {row_id: json.loads(body) for row_id, body in rows}

    def put_document(self, kind: str, document_id: str, body: dict[str, Any]) -> None:
        """Store a meter or a customer."""
        with self._lock:
            values = [kind, document_id, json.dumps(body)]
            self._database.execute("INSERT OR REPLACE INTO documents VALUES ($1, $2, $3)", values)

    def delete_document(self, kind: str, document_id: str) -> None:
        """Delete a meter or a customer."""
        with self._lock:
            self._database.execute("DELETE FROM documents WHERE kind = $1 AND id = $2", [kind, document_id])

    def clear(self) -> None:
        """Delete all data."""
        with self._lock:
            self._clear_pending()
            for table in ("records", "rules", "documents"):
                self._database.execute(f"DELETE FROM {table}")  # noqa: S608 - the three names above

    def close(self) -> None:
        """Write pending records and close the database; further calls do nothing."""
        with self._lock:
            if not self._closed.is_set():
                self._closed.set()
                self._flush()
                self._database.close()
                if self._journal:
                    self._journal.close()

    def _flush(self) -> None:
        if self._pending:
            columns = [list(column) for column in zip(*self._pending, strict=True)]
            self._database.execute(_INSERT, columns)
            self._clear_pending()

    def _clear_pending(self) -> None:
        self._pending.clear()
        if self._journal:
            self._journal.clear()

    def _flush_periodically(self) -> None:
        while not self._closed.wait(FLUSH_SECONDS):
            with self._lock:
                if not self._closed.is_set():
                    self._flush()
