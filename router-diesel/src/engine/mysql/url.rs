//! URLs of MySQL and MariaDB.

use super::{Mysql, options};
use crate::engine::url::percent::encode;
use crate::engine::url::{OptionProblem, Parts, UrlError, UrlText, Urls, server};

/// The one scheme that Diesel takes.
const SCHEME: &str = "mysql";

impl Urls for Mysql {
    fn read_url(&self, _: &str, rest: &str) -> Result<UrlText, UrlError> {
        server::read(SCHEME, rest)
    }

    fn wrong_options(&self, url: &str) -> Vec<OptionProblem> {
        options::wrong(url)
    }

    /// Diesel takes the file of a socket as a parameter, beside the host `localhost`.
    fn url_of_parts(&self, mut parts: Parts) -> Result<UrlText, UrlError> {
        if let Some(file) = server::take_socket(&mut parts) {
            parts.host = Some("localhost".to_owned());
            parts.options.insert(0, ("unix_socket".to_owned(), file));
        }
        // Diesel hands the name to the client library as it stands in the URL, encoded.
        let name = parts.name.as_deref().unwrap_or_default();
        if encode(name, b"$") != name {
            return Err(UrlError::Invalid("has a database name that MySQL's client cannot be told"));
        }
        server::of_parts(SCHEME, &parts)
    }
}
