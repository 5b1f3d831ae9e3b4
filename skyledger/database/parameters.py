"""Parameters of the embedded server, written at every start; ALTER SYSTEM overrides them."""

import os
from collections.abc import Mapping


def text(given: Mapping[str, str]) -> str:
    """Return the configuration file: what suits this machine, overridden by ``given``."""
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    parameters = {
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        # Two million versions and their indexes fit; with half of it a cone took a sixth more CPU.
        "shared_buffers": f"{max(32, min(2048, memory_mb // 8))}MB",
        "effective_cache_size": f"{max(128, memory_mb // 2)}MB",
        "work_mem": "32MB",
        "maintenance_work_mem": f"{max(64, min(512, memory_mb // 16))}MB",
        "max_wal_size": "4GB",
        "wal_level": "replica",
        "wal_compression": "lz4",  # pages a visit is the first to change: a sixth of pglz's CPU
        "checkpoint_timeout": "15min",  # fewer such pages; max_wal_size bounds what is replayed
        "synchronous_commit": "on",
        "random_page_cost": "1.1",  # solid-state disks; and most pages are in memory
        "jit": "off",  # compiling costs more than our queries run
        "max_locks_per_transaction": "256",  # a query may touch every partition
        "autovacuum": "on",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "datestyle": "iso, ymd",
        "log_line_prefix": "%m [%p] %a %d ",
        **given,
    }
    lines = ["# Written by `skyledger db start`. Change parameters with ALTER SYSTEM."]
    for name, value in parameters.items():
        quoted = value.replace("'", "''")
        lines.append(f"{name} = '{quoted}'")
    return "\n".join(lines) + "\n"
