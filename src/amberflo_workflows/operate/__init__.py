"""What an operator does with a deployment, on this machine or on AWS: a library that prints nothing."""
