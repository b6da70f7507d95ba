//! What all connections of one node share.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::Server;

/// What all connections of one node share.
#[derive(Debug, Default)]
pub(crate) struct Vitals {
    /// How many connections were lost so far. Where one is lost, its siblings may be too, so each of them is
    /// tested before it is next handed out.
    losses: AtomicU64,
    /// Connections of an earlier generation are closed instead of handed out or taken back.
    generation: AtomicU64,
    in_use: Arc<AtomicUsize>,
    /// How many connections were closed because a statement left something behind on them.
    closed_for_state: AtomicU64,
    /// Whether a session has ever asked for the last id that an INSERT generated.
    asks_for_last_id: AtomicBool,
    /// What the server was when the last connection to it was opened.
    server: Mutex<Option<Server>>,
}

impl Vitals {
    /// How many of the node's connections are handed out now.
    pub(crate) fn in_use(&self) -> &Arc<AtomicUsize> {
        &self.in_use
    }

    /// Has every connection that is open now closed: idle ones before they are handed out, the others when
    /// they come back.
    pub(crate) fn expire_connections(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
    }

    /// Which product the node's server is, and in which version. `None` until a connection has been opened.
    pub(crate) fn server(&self) -> Option<Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn note_server(&self, server: &Server) {
        let mut known = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref() != Some(server) {
            *known = Some(server.clone());
        }
    }

    pub(super) fn losses(&self) -> u64 {
        self.losses.load(Ordering::Relaxed)
    }

    pub(super) fn note_loss(&self) {
        self.losses.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn note_state_closed(&self) {
        self.closed_for_state.fetch_add(1, Ordering::Relaxed);
    }

    /// How many connections were closed because a statement left something behind on them.
    pub(crate) fn closed_for_state(&self) -> u64 {
        self.closed_for_state.load(Ordering::Relaxed)
    }

    pub(super) fn note_asks_for_last_id(&self) {
        self.asks_for_last_id.store(true, Ordering::Relaxed);
    }

    pub(super) fn asks_for_last_id(&self) -> bool {
        self.asks_for_last_id.load(Ordering::Relaxed)
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }
}

/// One connection in use; counted until it is dropped.
#[derive(Debug)]
pub(super) struct InUse(Arc<AtomicUsize>);

impl InUse {
    pub(super) fn count(counter: &Arc<AtomicUsize>) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(counter))
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
