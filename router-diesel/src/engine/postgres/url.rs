//! URLs of PostgreSQL.

use super::{Postgres, options};
use crate::engine::url::{OptionProblem, Parts, UrlError, UrlText, Urls, server};

/// The scheme that is written, whichever of the two was read.
const SCHEME: &str = "postgres";

impl Urls for Postgres {
    fn read_url(&self, _: &str, rest: &str) -> Result<UrlText, UrlError> {
        server::read(SCHEME, rest)
    }

    fn doubtful_options(&self, url: &str) -> Vec<OptionProblem> {
        options::unknown(url)
    }

    /// libpq takes the folder of a socket as a parameter, and then the port too.
    fn url_of_parts(&self, mut parts: Parts) -> Result<UrlText, UrlError> {
        if let Some(folder) = server::take_socket(&mut parts) {
            let port = parts.port.take().map(|port| ("port".to_owned(), port.to_string()));
            parts.options.splice(0..0, std::iter::once(("host".to_owned(), folder)).chain(port));
        }
        server::of_parts(SCHEME, &parts)
    }
}
