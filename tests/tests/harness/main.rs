//! The harness itself: its servers start, keep apart what they should, stop, come back, and leave nothing behind.

mod mariadb_cluster;
mod pgbouncer;
mod postgres_cluster;
mod proxy;
mod servers;
mod sqlite;
