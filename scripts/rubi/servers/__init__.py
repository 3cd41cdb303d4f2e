"""Programs and servers of this machine: found, unpacked, started, stopped."""
