"""The SaaS Builder Toolkit (SBT) from Python: bindings for its npm package, and our place in its control plane."""
