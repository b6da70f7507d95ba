//! What a program adds to how connections are opened: their credentials, and what is run on each new one.

use std::any::{Any, type_name};
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use diesel::ConnectionError;
use diesel::result::Error as DieselError;
use router_core::Alias;

use super::Credentials;
use crate::text::secrets::without_secrets;

/// The hooks of a program, for all databases of a file.
///
/// [`DatabasesBuilder`](crate::DatabasesBuilder) collects them by its methods of the same names. Take them from here
/// for [`Config::with_hooks`](crate::config::Config::with_hooks), where you open connections without a `Databases`.
#[derive(Clone, Default)]
#[must_use = "hooks do nothing by themselves"]
pub struct Hooks {
    credentials: Vec<Hook<AskCredentials>>,
    on_connect: Vec<Hook<RunOnConnect>>,
}

type AskCredentials = dyn Fn(&Alias) -> Result<Option<Credentials>, String> + Send + Sync;
type RunOnConnect = dyn Fn(&Alias, &mut dyn Any) -> Result<(), String> + Send + Sync;

/// A function of the program, and where the program handed it over.
pub(super) struct Hook<F: ?Sized> {
    name: &'static str,
    place: &'static Location<'static>,
    pub(super) call: Arc<F>,
}

impl Hooks {
    /// No hooks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs a function on each new connection. Several run in the order in which they were added.
    ///
    /// The function is for connections of one type. A connection of another type cannot be opened with it.
    #[track_caller]
    pub fn on_connect<C, F, E>(mut self, hook: F) -> Self
    where
        C: 'static,
        F: Fn(&Alias, &mut C) -> Result<(), E> + Send + Sync + 'static,
        E: fmt::Display,
    {
        let call = move |alias: &Alias, conn: &mut dyn Any| match conn.downcast_mut::<C>() {
            Some(conn) => hook(alias, conn).map_err(|error| format!("{error:#}")),
            None => Err(format!("it is for connections of the type `{}`", type_name::<C>())),
        };
        self.on_connect.push(Hook { name: "on_connect", place: Location::caller(), call: Arc::new(call) });
        self
    }

    /// Asks a function for the credentials of each new connection. Several are asked in the order in which they were
    /// added, until one of them answers.
    #[track_caller]
    pub fn credentials<F, T, E>(mut self, ask: F) -> Self
    where
        F: Fn(&Alias) -> Result<T, E> + Send + Sync + 'static,
        T: Into<Option<Credentials>>,
        E: fmt::Display,
    {
        let call = move |alias: &Alias| ask(alias).map(Into::into).map_err(|error| format!("{error:#}"));
        self.credentials.push(Hook { name: "credentials", place: Location::caller(), call: Arc::new(call) });
        self
    }

    /// The same without what is run on new connections.
    pub(super) fn without_on_connect(&self) -> Self {
        Self { credentials: self.credentials.clone(), on_connect: Vec::new() }
    }

    pub(super) fn credentials_hooks(&self) -> &[Hook<AskCredentials>] {
        &self.credentials
    }

    pub(super) fn connect_hooks(&self) -> &[Hook<RunOnConnect>] {
        &self.on_connect
    }
}

/// Whether they are the very same functions.
impl PartialEq for Hooks {
    fn eq(&self, other: &Self) -> bool {
        self.credentials == other.credentials && self.on_connect == other.on_connect
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.credentials).entries(&self.on_connect).finish()
    }
}

impl<F: ?Sized> Hook<F> {
    /// What it is called in messages.
    pub(super) fn what(&self) -> String {
        format!("the `{}` hook of {}:{}", self.name, self.place.file(), self.place.line())
    }
}

impl<F: ?Sized> Clone for Hook<F> {
    fn clone(&self) -> Self {
        Self { name: self.name, place: self.place, call: Arc::clone(&self.call) }
    }
}

impl<F: ?Sized> PartialEq for Hook<F> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.call, &other.call)
    }
}

impl<F: ?Sized> fmt::Debug for Hook<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what())
    }
}

/// A hook or a password file failed, so that there is no connection. To try again does not help by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupError {
    what: String,
    how: String,
}

impl SetupError {
    /// The words may be the program's own, and quote a URL.
    pub(super) fn new(what: impl Into<String>, how: impl AsRef<str>) -> Self {
        Self { what: what.into(), how: without_secrets(how.as_ref()).into_owned() }
    }
}

impl From<SetupError> for ConnectionError {
    /// Diesel's type has no place of its own for it.
    fn from(error: SetupError) -> Self {
        Self::CouldntSetupConfiguration(DieselError::QueryBuilderError(Box::new(error)))
    }
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.what, self.how)
    }
}

impl std::error::Error for SetupError {}
