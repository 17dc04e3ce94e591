"""AWS list prices that the costs are reckoned with: us-east-1, US dollars, without free tiers, of November 2025."""

from typing import Final

PRICES_OF: Final = "us-east-1, list, November 2025"
MILLION: Final = 1_000_000

EVENTBRIDGE_EVENT: Final = 1.00 / MILLION  # a custom event, per 64 kB of it
SQS_REQUEST: Final = 0.40 / MILLION  # standard queue, per 64 kB of it
EXPRESS_REQUEST: Final = 1.00 / MILLION  # an execution of an express workflow
EXPRESS_GB_SECOND: Final = 0.00001667  # its time by its memory, in 100 ms and 64 MB
LAMBDA_REQUEST: Final = 0.20 / MILLION
LAMBDA_GB_SECOND: Final = 0.0000133334  # Arm
LAMBDA_X86_GB_SECOND: Final = 0.0000166667
LOGS_GB: Final = 0.50  # taken in by CloudWatch Logs
# The same of Lambda's logs by the month: up to so many GB, the price of each.
LOGS_TIERS: Final = ((10_000, LOGS_GB), (30_000, 0.25), (50_000, 0.10), (float("inf"), 0.05))
SECRETS_REQUEST: Final = 0.05 / 10_000
TRACE: Final = 5.00 / MILLION  # recorded by X-Ray

# By the month.
ALARM: Final = 0.10
DASHBOARD: Final = 3.00
METRIC: Final = 0.30
SECRET: Final = 0.40

BILLED_CHUNK_BYTES: Final = 64 * 1024
# What CloudWatch Logs adds to each line before it bills.
LOG_LINE_OVERHEAD_BYTES: Final = 26
EXPRESS_MEMORY_GB: Final = 64 / 1024
EXPRESS_MEMORY_STEP_SECONDS: Final = 0.1
LAMBDA_MEMORY_GB: Final = 512 / 1024
# How many messages the poller of an event source mapping takes and deletes in a request.
SQS_MESSAGES_A_REQUEST: Final = 10
