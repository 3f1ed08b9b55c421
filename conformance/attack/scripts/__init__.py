"""Programs that cases run in a fork of the zygote. They print ``PROBLEM: ...`` for what does not hold, then ``DONE``."""
