"""How far a file was sent, so that an interrupted backfill goes on where it was."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Progress:
    """All rows before the byte ``through`` were dealt with."""

    through: int
    accepted: int = 0
    rejected: int = 0


@dataclass(frozen=True)
class ProgressJournal:
    """The progress with one file, read in one way, into one deployment."""

    path: Path

    @classmethod
    def of(cls, folder: Path, *about: str) -> "ProgressJournal":
        """The journal of what ``about`` names; another file, way or deployment has another."""
        name = hashlib.sha256("\0".join(about).encode()).hexdigest()[:16]
        return cls(folder / f"{name}.json")

    def read(self) -> Progress | None:
        """How far it came, ``None`` if it was never begun or ended."""
        try:
            return Progress(**json.loads(self.path.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, progress: Progress) -> None:
        """Whole or not at all, whenever this process ends."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        half = self.path.with_suffix(".new")
        half.write_text(json.dumps(asdict(progress)))
        half.replace(self.path)

    def forget(self) -> None:
        """It ended."""
        self.path.unlink(missing_ok=True)
