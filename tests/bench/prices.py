"""AWS list prices in US dollars: us-east-1, November 2025, without free tiers."""

from typing import Final

PRICES_SOURCE: Final = "us-east-1, list prices, November 2025"
MILLION: Final = 1_000_000

EVENTBRIDGE_EVENT: Final = 1.00 / MILLION  # for each 64 kB of a custom event
SQS_REQUEST: Final = 0.40 / MILLION  # standard queue, for each 64 kB of a request
EXPRESS_REQUEST: Final = 1.00 / MILLION  # an execution of an express workflow
EXPRESS_GB_SECOND: Final = 0.00001667  # billed in steps of 100 ms and 64 MB
LAMBDA_REQUEST: Final = 0.20 / MILLION
LAMBDA_GB_SECOND: Final = 0.0000133334  # Arm
LAMBDA_X86_GB_SECOND: Final = 0.0000166667
LOGS_GB: Final = 0.50  # ingested by CloudWatch Logs
# Tiers of Lambda's logs in a month: up to how many GB, and the price of each GB.
LOGS_TIERS: Final = ((10_000, LOGS_GB), (30_000, 0.25), (50_000, 0.10), (float("inf"), 0.05))
SECRETS_REQUEST: Final = 0.05 / 10_000
TRACE: Final = 5.00 / MILLION  # recorded by X-Ray

FIREHOSE_GB: Final = 0.029  # direct put; each record counts as a multiple of 5 kB
S3_PUT: Final = 5.00 / MILLION
S3_GB_MONTH: Final = 0.023

# Each for a month.
ALARM: Final = 0.10
DASHBOARD: Final = 3.00
METRIC: Final = 0.30
SECRET: Final = 0.40

BILLED_CHUNK_BYTES: Final = 64 * 1024
# CloudWatch Logs bills this in addition to each line.
LOG_LINE_OVERHEAD_BYTES: Final = 26
FIREHOSE_RECORD_BYTES: Final = 5 * 1024
EXPRESS_MEMORY_GB: Final = 64 / 1024
EXPRESS_MEMORY_STEP_SECONDS: Final = 0.1
# An event source mapping receives and deletes this many messages in a request.
SQS_MESSAGES_PER_REQUEST: Final = 10
