"""The three Lambdas of an HTTP call without their work: what is left is the cost of the design with three Lambdas."""
