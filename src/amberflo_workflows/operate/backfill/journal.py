"""Save the progress of a backfill, so that it can resume after an interruption."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Progress:
    """All rows before the byte ``through`` were accepted or rejected."""

    through: int
    accepted: int = 0
    rejected: int = 0


@dataclass(frozen=True)
class ProgressJournal:
    """The progress of one file, read with the same options, to one deployment."""

    path: Path

    @classmethod
    def from_key(cls, folder: Path, *key: str) -> "ProgressJournal":
        """Return the journal for a key, which identifies file, options and deployment."""
        name = hashlib.sha256("\0".join(key).encode(errors="surrogateescape")).hexdigest()[:16]
        return cls(folder / f"{name}.json")

    def read(self) -> Progress | None:
        """Read the progress; ``None`` if no backfill with this key is unfinished."""
        try:
            return Progress(**json.loads(self.path.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, progress: Progress) -> None:
        """Write the progress atomically."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".new")
        temporary.write_text(json.dumps(asdict(progress)))
        temporary.replace(self.path)

    def delete(self) -> None:
        """Delete the journal; the backfill is complete."""
        self.path.unlink(missing_ok=True)
