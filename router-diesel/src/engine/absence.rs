//! Whether a database that cannot be opened is there at all.
//!
//! Of a failed attempt to connect, Diesel gives a text in the server's language and nothing else. So the server is
//! asked, by way of another of its databases.

use std::time::Duration;

use diesel::{ConnectionError, ConnectionResult};

use super::reach::FailedAttempt;
use super::{Ask, ConnectFault, ConnectSettings, DatabaseUrl, OpenError, Opened, Opener, RoutedConnection};

/// How an engine tells that a database is not there.
pub(crate) trait Absence {
    /// The file or the name of a database that is not there, after an attempt to open it has failed. `None` where it
    /// is there, or nobody can tell. `connect` opens a connection by another URL.
    fn absent(&self, url: &DatabaseUrl, error: &ConnectionError, connect: Connector<'_>) -> Option<String>;
}

/// Opens a connection by a URL.
pub(crate) type Connector<'a> = &'a mut dyn FnMut(&DatabaseUrl) -> ConnectionResult<Box<dyn Ask>>;

/// Why a database could not be opened.
#[derive(Debug)]
pub(crate) struct Unopened {
    /// What the attempt to connect said.
    pub(crate) error: ConnectionError,
    /// Why another attempt would fail too, where that is so.
    pub(crate) fault: Option<ConnectFault>,
    /// The file or the name of the database, where that is not there.
    pub(crate) absent: Option<String>,
}

/// Opens a database, and finds out whether it is there where that fails.
///
/// # Errors
/// Why it could not be opened.
pub(crate) fn open<C: RoutedConnection>(
    opener: &Opener,
    settings: &ConnectSettings,
) -> Result<Opened<C>, Unopened> {
    opener.open(settings).map_err(|OpenError { error, took, fault }| {
        let absent = match fault {
            // Nothing was asked of the server, or it let the user in.
            Some(ConnectFault::Setup) => None,
            Some(ConnectFault::Authentication) | None => absent::<C>(opener, settings, &error, took),
        };
        Unopened { error, fault, absent }
    })
}

/// The file or the name of a database, where that is not there.
fn absent<C: RoutedConnection>(
    opener: &Opener,
    settings: &ConnectSettings,
    error: &ConnectionError,
    took: Duration,
) -> Option<String> {
    let url = opener.url();
    let spec = url.engine().spec();
    let cause = error.to_string();
    let attempt = FailedAttempt { url, settings, took, cause: &cause };
    // Where nobody answered one attempt, nobody would answer the next one either.
    let is_silent = spec.is_out_of_reach(&attempt);
    spec.absent(url, error, &mut |other| {
        if is_silent {
            return Err(ConnectionError::BadConnection("the server does not answer".to_owned()));
        }
        let opened = opener.for_url(other.clone()).open::<C>(settings).map_err(|failed| failed.error)?;
        Ok(Box::new(opened.conn) as Box<dyn Ask>)
    })
}
