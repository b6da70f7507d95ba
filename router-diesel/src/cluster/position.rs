//! How far a server is in the history of its cluster.
