//! Which nodes of a cluster may serve, as a state machine: events and the time in, standings out.
