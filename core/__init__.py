"""What tasks, entry points and the operator's library share: usages, meters, tenants, rejected items, AWS clients."""
