"""This package's Lambdas side by side with the design of one Lambda for everything."""
