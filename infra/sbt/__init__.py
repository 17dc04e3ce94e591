"""The SaaS Builder Toolkit (SBT) in Python: bindings for its npm package, and metering for its control plane."""
