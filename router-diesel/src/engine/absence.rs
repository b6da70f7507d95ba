//! Whether a database that cannot be opened is there at all.
//!
//! Of a failed attempt to connect, Diesel gives a text in the server's language and nothing else. So the server is
//! asked, by way of another of its databases.

use std::time::Instant;

use diesel::{ConnectionError, ConnectionResult};

use super::reach::FailedAttempt;
use super::{Ask, ConnectSettings, DatabaseUrl, Opened, RoutedConnection};

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
    /// The file or the name of the database, where that is not there.
    pub(crate) absent: Option<String>,
}

/// Opens a database, and finds out whether it is there where that fails.
///
/// # Errors
/// Why it could not be opened.
pub(crate) fn open<C: RoutedConnection>(
    url: &DatabaseUrl,
    settings: &ConnectSettings,
) -> Result<Opened<C>, Unopened> {
    let start = Instant::now();
    C::open(url, settings).map_err(|error| {
        let spec = url.engine().spec();
        let (took, cause) = (start.elapsed(), error.to_string());
        let attempt = FailedAttempt { url, settings, took, cause: &cause };
        // Where nobody answered one attempt, nobody would answer the next one either.
        let is_silent = spec.is_out_of_reach(&attempt);
        let absent = spec.absent(url, &error, &mut |other| {
            if is_silent {
                return Err(ConnectionError::BadConnection("the server does not answer".to_owned()));
            }
            Ok(Box::new(C::open(other, settings)?.conn) as Box<dyn Ask>)
        });
        Unopened { error, absent }
    })
}
