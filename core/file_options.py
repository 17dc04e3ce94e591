"""How to read a file of usages: which columns are which members, and what becomes of the others.

The options are checked against the header of CSV, or against the first rows of NDJSON.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from amberflo_workflows.core.file_encoding import InvalidFile
from amberflo_workflows.core.file_times import TIME_MEMBER, TimeOptions, check_time_options
from amberflo_workflows.core.usage_record import MAX_METER_NAME_LENGTH

Format = Literal["csv", "ndjson"]
LongDimensions = Literal["drop", "cut", "refuse"]
REQUIRED_MEMBERS: Final = ("tenantId", "meterApiName", "meterValue")
METER_MEMBERS: Final = ("meterApiName", "meterValue")
# All that are not dimensions.
OWN_MEMBERS: Final = frozenset({*REQUIRED_MEMBERS, "meterTimeInMillis", "uniqueId", TIME_MEMBER})
MAX_OPTIONS_BYTES: Final = 50_000
MAX_NAME_LENGTH: Final = 150
_MAX_LIST_LENGTH: Final = 1_000


class ReadOptions(Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """How to read the rows of a file.

    - ``columns`` has the column (or JSON member) of each member of a usage that has another name in the file. In JSON,
      ``message.usage.input_tokens`` is a nested member, unless there is a member of exactly that name.
    - ``constants`` has the members that are the same in every row.
    - ``ignore`` has the columns to leave out. All others are dimensions, or only those in ``only`` if it has any.
    - ``meters`` has the column of the value for each meter, if a row is the usage of several meters.
    - ``time_format`` is the format of times that are neither ISO 8601 nor a number, and ``time_zone`` the zone of times
      that have none.
    - ``long_dimensions`` says what happens to dimensions that are too long: they are left out, their values are cut, or
      their usage is rejected.
    """

    columns: dict[str, str] = {}
    constants: dict[str, Any] = {}
    ignore: list[str] = []
    time_format: str = ""
    time_zone: str = ""
    only: list[str] = []
    long_dimensions: LongDimensions = "refuse"
    meters: dict[str, str] = {}


class FileOptions(ReadOptions):
    """How to read a file: also its format, and the ``name`` that replaces the text of a row in its identity, if any."""

    name: Annotated[str, Meta(max_length=MAX_NAME_LENGTH)]
    format: Format

    @property
    def times(self) -> TimeOptions:
        """How to read times."""
        return TimeOptions(self.time_format, self.time_zone)

    def is_dimension(self, name: str) -> bool:
        """Whether a column that is not a member of its own is a dimension."""
        return name not in self.ignore and (not self.only or name in self.only)

    def leaves_out(self, name: str) -> bool:
        """Whether a column is left out, unless it is the column of a member."""
        return name in self.ignore or not (name in OWN_MEMBERS or self.is_dimension(name))


def check_options(options: FileOptions) -> None:
    """Raise :class:`InvalidFile` if the options cannot be used for any file."""
    try:
        size = len(msgspec.json.encode(options))
    except UnicodeEncodeError:
        raise InvalidFile("The name or another option has bytes that are not UTF-8. Set it in UTF-8.") from None
    max_length = MAX_NAME_LENGTH - (MAX_METER_NAME_LENGTH if options.meters else 0)
    if len(options.name) > max_length:
        raise InvalidFile(
            f"The name has {len(options.name)} characters; it must have at most {max_length}, as it is part of the "
            "identity of each row, of at most 200 characters. Set a shorter name with --name (name)."
        )
    if size > MAX_OPTIONS_BYTES:
        raise InvalidFile(f"The options have {size:,} bytes; the limit is {MAX_OPTIONS_BYTES:,}.")
    for member in METER_MEMBERS if options.meters else ():
        if member in options.columns or member in options.constants:
            raise InvalidFile(
                f"--meter (meters) sets {member}, so --map (columns) and --set (constants) must not set it as well."
            )
    check_time_options(options.times)


def check_header(header: list[str], options: FileOptions) -> None:
    """Raise :class:`InvalidFile` if the options do not fit the header of a CSV file."""
    if not all(header):
        raise InvalidFile(
            f"Column {header.index('') + 1} of {len(header)} has no name, so --ignore cannot name it either. Give it a "
            "name in the header, or export the file without it; the index of pandas is left out by "
            f"to_csv(…, index=False). The columns are: {', '.join(header)}"
        )
    if len(set(header)) < len(header):
        raise InvalidFile(f"Each column of the header must have a different name. The columns are: {', '.join(header)}")
    for column in (*options.columns.values(), *options.ignore, *options.only, *options.meters.values()):
        if column not in header:
            raise InvalidFile(f"The file has no column '{column}'. The columns are: {', '.join(header)}")
    for member, column in options.columns.items():
        if member != column and member in header and not options.leaves_out(member):
            raise InvalidFile(f"The columns '{member}' and '{column}' are both for {member}. Ignore one of them.")
    _check_required_members(header, options)


def _check_required_members(header: list[str], options: FileOptions) -> None:
    columns = {*options.columns.values(), *options.meters.values()}
    for member in METER_MEMBERS if options.meters else ():
        if member in header and member not in columns and not options.leaves_out(member):
            raise InvalidFile(
                f"The file has a column {member}, which --meter (meters) sets as well. Leave it out with "
                f"--ignore {member} (ignore)."
            )
    for member in REQUIRED_MEMBERS:
        is_set = member in options.constants or (options.meters and member in METER_MEMBERS)
        if not is_set and options.columns.get(member, member) not in header:
            raise InvalidFile(
                f"The file has no column for {member}. Map one with --map {member}=COLUMN (columns) or set a constant "
                f"with --set {member}=VALUE (constants). The columns are: {', '.join(header)}"
            )


def check_first_rows(rows: Iterable[dict[str, Any]], options: FileOptions) -> None:
    """Raise :class:`InvalidFile` if the first rows of an NDJSON file show that an option names no member."""
    columns = {
        **{column: f"--map {member}={column}" for member, column in options.columns.items()},
        **{column: f"--meter {meter}={column}" for meter, column in options.meters.items()},
        **{column: f"--only {column}" for column in options.only},
    }
    samples = [members for members in rows if members]
    for column, option in columns.items() if samples else ():
        if not any(_has_column(members, column, options) for members in samples):
            names = dict.fromkeys(name for members in samples for name in _list_names(members))
            raise InvalidFile(
                f"None of the first {len(samples):,} rows has the member '{column}' ({option}). Their members are: "
                f"{', '.join(names)[:_MAX_LIST_LENGTH]}"
            )


def _has_column(members: dict[str, Any], column: str, options: FileOptions) -> bool:
    inner = members.get("dimensions")
    is_inner = column in options.only and isinstance(inner, dict) and column in inner
    return is_inner or column in members or find_nested(members, column) is not None


def _list_names(members: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the names by which ``--map`` finds the values of a row."""
    for name, value in members.items():
        if isinstance(value, dict) and prefix.count(".") < 4:
            yield from _list_names(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def find_nested(members: dict[str, Any], column: str) -> Any:
    """Return the value of a nested member such as ``message.usage.input_tokens``; ``None`` if it is absent or null."""
    value: Any = members
    for name in column.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
