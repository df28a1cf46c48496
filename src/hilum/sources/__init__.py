"""Where studies come from. Every source ends in the same durable inbox."""
