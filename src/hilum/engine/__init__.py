"""The durable engine, its processes and the model hosts: the only place that knows DBOS."""
