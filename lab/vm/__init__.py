"""Virtual machines as hosts: Debian 13 with a kernel of its own, for what containers cannot show."""
