"""How our processes begin, end together, are limited together, and wake each other."""
