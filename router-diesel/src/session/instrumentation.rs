//! One instrumentation for all of a session's connections.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use diesel::connection::{
    Connection, Instrumentation, InstrumentationEvent, StrQueryHelper, get_default_instrumentation,
};
use diesel::result::Error as DieselError;
use router_core::Alias;

use super::Session;
use crate::engine::RoutedConnection;
use crate::error::{Error, ErrorKind};
use crate::topology::pool::{Checkout, NodeConnection};

/// What `set_instrumentation` gave, shared by the session's connections while it holds them.
#[derive(Clone, Default)]
pub(super) struct SessionInstrumentation(Option<Arc<Mutex<Listener>>>);

/// What listens.
enum Listener {
    Plain(Box<dyn Instrumentation>),
    Routed(Box<dyn RoutedListener>),
}

/// A closure that is told the database of each event.
trait RoutedListener: FnMut(Option<&Alias>, InstrumentationEvent<'_>) + Send {}

impl<F: FnMut(Option<&Alias>, InstrumentationEvent<'_>) + Send> RoutedListener for F {}

impl Listener {
    fn hear(&mut self, alias: Option<&Alias>, event: InstrumentationEvent<'_>) {
        match self {
            Self::Plain(instrumentation) => instrumentation.on_connection_event(event),
            Self::Routed(closure) => closure(alias, event),
        }
    }
}

/// The instrumentation of one connection.
struct OfNode {
    listener: Arc<Mutex<Listener>>,
    alias: Alias,
}

fn lock(listener: &Mutex<Listener>) -> MutexGuard<'_, Listener> {
    listener.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Instrumentation for OfNode {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        lock(&self.listener).hear(Some(&self.alias), event);
    }
}

impl SessionInstrumentation {
    pub(super) fn new(instrumentation: impl Instrumentation) -> Self {
        Self::of(Listener::Plain(Box::new(instrumentation)))
    }

    fn of(listener: Listener) -> Self {
        Self(Some(Arc::new(Mutex::new(listener))))
    }

    fn of_node<C: RoutedConnection>(&self, conn: &NodeConnection<C>) -> Option<OfNode> {
        let listener = Arc::clone(self.0.as_ref()?);
        Some(OfNode { listener, alias: conn.alias().clone() })
    }

    /// What a connection reports to while the session holds it.
    pub(super) fn for_connection<C: RoutedConnection>(
        &self,
        conn: &NodeConnection<C>,
    ) -> Box<dyn Instrumentation> {
        match self.of_node(conn) {
            Some(of_node) => Box::new(of_node),
            None => Box::new(get_default_instrumentation()),
        }
    }

    /// Has a connection report here.
    pub(super) fn join<C: RoutedConnection>(&self, checkout: &mut Checkout<C>) {
        if let Some(of_node) = self.of_node(checkout) {
            checkout.set_instrumentation(of_node);
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
        match &self.0 {
            Some(listener) => lock(listener).hear(None, event),
            None => get_default_instrumentation().on_connection_event(event),
        }
    }
}

impl fmt::Debug for SessionInstrumentation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionInstrumentation").field("set", &self.0.is_some()).finish()
    }
}

impl<C: RoutedConnection> Session<C> {
    /// Sets one listener for all connections of the session, which also gets the alias of each event: that of the node, so
    /// perhaps a replica's, on which the statement runs. `None` stands for a statement that was refused before it had one.
    ///
    /// It replaces what `set_instrumentation` has set, and the other way round. Refusals by calls that are no statements,
    /// such as [`with_connection`](Self::with_connection) or [`using`](Self::using), are not reported.
    ///
    /// ```no_run
    /// # use diesel::connection::InstrumentationEvent;
    /// # fn demo(conn: &mut router_diesel::Session<diesel::SqliteConnection>) {
    /// conn.set_routed_instrumentation(|alias, event| {
    ///     if let InstrumentationEvent::StartQuery { query, .. } = event {
    ///         println!("{}: {query}", alias.map_or("refused", |alias| alias.as_str()));
    ///     }
    /// });
    /// # }
    /// ```
    pub fn set_routed_instrumentation(
        &mut self,
        instrumentation: impl FnMut(Option<&Alias>, InstrumentationEvent<'_>) + Send + 'static,
    ) {
        self.report_to(SessionInstrumentation::of(Listener::Routed(Box::new(instrumentation))));
    }

    pub(super) fn report_to(&mut self, instrumentation: SessionInstrumentation) {
        self.instrumentation = instrumentation;
        for held in &mut self.held {
            self.instrumentation.join(&mut held.checkout);
        }
    }

    /// Reports a statement that was refused before it was sent as Diesel reports one that failed.
    #[cold]
    pub(super) fn report_refusal(&mut self, sql: &str, error: Error) -> DieselError {
        let is_refused = error.kind() != ErrorKind::Diesel;
        let error = DieselError::from(error);
        if is_refused && !std::thread::panicking() {
            let query = StrQueryHelper::new(sql);
            self.instrumentation.on_connection_event(InstrumentationEvent::start_query(&query));
            self.instrumentation
                .on_connection_event(InstrumentationEvent::finish_query(&query, Some(&error)));
        }
        error
    }
}
