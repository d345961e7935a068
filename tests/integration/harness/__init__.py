# SPDX-License-Identifier: PostgreSQL
"""What the integration tests stand on: a private PostgreSQL, the daemon
started as a user would start it, and folders made to order."""
