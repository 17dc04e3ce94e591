"""Usage metering with Amberflo: every operation an AWS Step Functions workflow."""
