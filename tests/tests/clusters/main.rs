//! Clusters on real servers: what is read from where, and that nobody sees less than they wrote.

mod postgres;
