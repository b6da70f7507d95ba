//! One instrumentation for all of a session's connections.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use diesel::connection::{Connection, Instrumentation, InstrumentationEvent, get_default_instrumentation};

use crate::engine::RoutedConnection;
use crate::topology::pool::Checkout;

/// What `set_instrumentation` gave, shared by the session's connections while it holds them.
#[derive(Clone, Default)]
pub(super) struct SessionInstrumentation(Option<Arc<Mutex<Box<dyn Instrumentation>>>>);

impl SessionInstrumentation {
    pub(super) fn new(instrumentation: impl Instrumentation) -> Self {
        Self(Some(Arc::new(Mutex::new(Box::new(instrumentation)))))
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.is_some()
    }

    /// Has a connection report here.
    pub(super) fn join<C: RoutedConnection>(&self, checkout: &mut Checkout<C>) {
        if self.0.is_some() {
            checkout.set_instrumentation(self.clone());
        }
    }

    /// Has a connection that was silenced report again, here or as it did before.
    #[cold]
    pub(super) fn join_again<C: RoutedConnection>(&self, checkout: &mut Checkout<C>) {
        checkout.speak();
        self.join(checkout);
    }

    /// Gives a connection its default instrumentation back.
    pub(super) fn leave<C: RoutedConnection>(&self, checkout: &mut Checkout<C>) {
        if self.0.is_some() {
            checkout.set_instrumentation(get_default_instrumentation());
        }
    }
}

impl Instrumentation for SessionInstrumentation {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        if let Some(shared) = &self.0 {
            shared.lock().unwrap_or_else(PoisonError::into_inner).on_connection_event(event);
        }
    }
}

impl fmt::Debug for SessionInstrumentation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionInstrumentation").field("set", &self.0.is_some()).finish()
    }
}
