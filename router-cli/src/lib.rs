//! The `dbrouter` program.
