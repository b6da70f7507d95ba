//! What a session has written and read, as a short text.
