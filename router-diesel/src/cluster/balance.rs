//! Which of several replicas serves next.
