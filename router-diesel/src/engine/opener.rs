//! Opens the connections of one database: with the credentials of that moment, and with the program's hooks.

use std::any::Any;
use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::ConnectionError;
use router_core::Alias;

use super::calls::Calls;
use super::credentials::read_password;
use super::hooks::SetupError;
use super::transaction::depth;
use super::{Access, ConnectSettings, Credentials, DatabaseUrl, Hooks, Opened, RoutedConnection};

/// Opens the connections of one database.
///
/// A connection takes three steps: the credentials are asked for, the connection is opened and gets our own settings, and
/// the hooks run on it. The program's own code runs on other threads, each call with a limit.
#[derive(Debug, Clone)]
pub(crate) struct Opener {
    pub(crate) alias: Alias,
    pub(crate) url: DatabaseUrl,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) hooks: Hooks,
    pub(crate) calls: Calls,
    /// How long each call of the program's own code may take.
    pub(crate) limit: Duration,
    /// What the server lets the program's connections do.
    pub(crate) access: Access,
}

/// Whether they open the same connections.
impl PartialEq for Opener {
    fn eq(&self, other: &Self) -> bool {
        self.alias == other.alias
            && self.url == other.url
            && self.password_file == other.password_file
            && self.hooks == other.hooks
            && self.limit == other.limit
            && self.access == other.access
    }
}

/// Why a connection could not be opened.
#[derive(Debug)]
pub(crate) struct OpenError {
    pub(crate) error: ConnectionError,
    /// How long the attempt to connect took, without the program's own code.
    pub(crate) took: Duration,
    /// Why another attempt would fail too, where that is so.
    pub(crate) fault: Option<ConnectFault>,
}

/// Why another attempt to connect would fail in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectFault {
    /// A hook or the password file failed.
    Setup,
    /// The server refused the user or the password.
    Authentication,
}

impl ConnectFault {
    /// What happened to a database, and why.
    pub(crate) fn describe(self, alias: &Alias, cause: &str) -> String {
        let cause = cause.trim_end();
        match self {
            Self::Setup => format!("a connection to database `{alias}` could not be set up: {cause}"),
            Self::Authentication => {
                format!("the server of database `{alias}` refused the user or the password: {cause}")
            }
        }
    }
}

impl Opener {
    /// The URL as the file has it.
    pub(crate) fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// The program's own calls that are under way for this database.
    pub(crate) fn calls(&self) -> &Calls {
        &self.calls
    }

    /// The same without the hooks that run on new connections: for the router's own questions and locks.
    pub(crate) fn without_on_connect(&self) -> Self {
        Self { hooks: self.hooks.without_on_connect(), ..self.clone() }
    }

    /// Opens another database of the same server, by the same credentials and without hooks.
    pub(crate) fn for_url(&self, url: DatabaseUrl) -> Self {
        Self { url, ..self.without_on_connect() }
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn open<C: RoutedConnection>(
        &self,
        settings: &ConnectSettings,
    ) -> Result<Opened<C>, OpenError> {
        let failed = |error: SetupError| OpenError {
            error: error.into(),
            took: Duration::ZERO,
            fault: Some(ConnectFault::Setup),
        };
        let url = self.current_url().map_err(failed)?;
        let for_hooks = self.for_hooks(settings);
        let start = Instant::now();
        let refused = |error| OpenError { took: start.elapsed(), fault: fault(&url, &error), error };
        let opened = C::open(&url, &for_hooks).map_err(refused)?;
        let mut opened = self.run_hooks(opened, &url).map_err(failed)?;
        if for_hooks != *settings {
            url.engine().spec().set_up(&mut opened.conn, settings).map_err(refused)?;
        }
        Ok(opened)
    }

    /// The settings with which hooks find a connection. Where the router only reads what the program writes, it gives up
    /// writing after the hooks have run, so that they work as they do for the program.
    fn for_hooks(&self, settings: &ConnectSettings) -> ConnectSettings {
        let has_hooks = !self.hooks.connect_hooks().is_empty();
        let access = match settings.access {
            Access::ReadOnly if has_hooks => self.access,
            access => access,
        };
        ConnectSettings { access, ..settings.clone() }
    }

    /// The URL with the credentials that hold now.
    ///
    /// # Errors
    /// They could not be had.
    pub(crate) fn current_url(&self) -> Result<Cow<'_, DatabaseUrl>, SetupError> {
        let Some((what, credentials)) = self.credentials()? else { return Ok(Cow::Borrowed(&self.url)) };
        let url = self.url.with_credentials(&credentials);
        url.map(Cow::Owned).map_err(|error| SetupError::new(what, format!("cannot be used: {error}")))
    }

    /// The credentials that hold now, and where they are from. `None` where the URL has its own.
    fn credentials(&self) -> Result<Option<(String, Credentials)>, SetupError> {
        if !self.url.takes_passwords() {
            return Ok(None);
        }
        for hook in self.hooks.credentials_hooks() {
            let (what, call, alias) = (hook.what(), Arc::clone(&hook.call), self.alias.clone());
            let answer = self.call(&self.url, &what, move || call(&alias))?;
            match answer.map_err(|cause| SetupError::new(&what, format!("failed: {cause}")))? {
                Some(credentials) => return Ok(Some((what, credentials))),
                None => continue,
            }
        }
        let Some(path) = self.password_file.clone() else { return Ok(None) };
        let what = format!("the password file `{}`", path.display());
        // A file of a network may hang as well.
        let read = self.call(&self.url, &what, move || read_password(&path))?;
        let password = read.map_err(|cause| SetupError::new(&what, format!("cannot be read: {cause}")))?;
        Ok(Some((what, Credentials::password(password))))
    }

    /// Runs the hooks on a new connection, which is closed where one fails.
    fn run_hooks<C: RoutedConnection>(
        &self,
        opened: Opened<C>,
        url: &DatabaseUrl,
    ) -> Result<Opened<C>, SetupError> {
        let mut opened = opened;
        for hook in self.hooks.connect_hooks() {
            let (what, call, alias) = (hook.what(), Arc::clone(&hook.call), self.alias.clone());
            let failed = |cause: String| SetupError::new(&what, url.without_secrets(&cause));
            let run = move || {
                let mut opened = opened;
                call(&alias, &mut opened.conn as &mut dyn Any).map_err(|cause| format!("failed: {cause}"))?;
                if depth(&mut opened.conn) == Some(0) {
                    Ok(opened)
                } else {
                    Err("left a transaction open".to_owned())
                }
            };
            opened = self.call(url, &what, run)?.map_err(failed)?;
        }
        Ok(opened)
    }

    /// Calls the program's own code, whose words may repeat the secrets of a URL.
    fn call<T: Send + 'static>(
        &self,
        url: &DatabaseUrl,
        what: &str,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, SetupError> {
        let answer = self.calls.run(what, self.limit, call);
        answer.map_err(|why| SetupError::new(what, url.without_secrets(&why.to_string())))
    }
}

/// Whether another attempt would fail in the same way, by what a server said.
fn fault(url: &DatabaseUrl, error: &ConnectionError) -> Option<ConnectFault> {
    match error {
        ConnectionError::BadConnection(text) => {
            url.engine().spec().refuses_user(text).then_some(ConnectFault::Authentication)
        }
        _ => None,
    }
}
