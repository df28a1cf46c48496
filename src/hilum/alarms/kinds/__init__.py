"""One file for each kind of alarm. Its function `alarms` yields what it finds in the facts."""
