//! URLs of servers, `scheme://user:password@host:port/name?parameters`, as PostgreSQL and MySQL both have them.

use super::percent::{decoded, encode, encoded, is_encoded, query};
use super::{Parts, UrlError, UrlText, mask_query};
use crate::text::secrets::{MASK, is_secret_key};

/// Reads what follows the scheme, and writes it under the scheme that the engine's client takes.
pub(in crate::engine) fn read(scheme: &str, rest: &str) -> Result<UrlText, UrlError> {
    let rest = rest.strip_prefix("//").ok_or(UrlError::Invalid("lacks the `//` after its scheme"))?;
    let Reading { user_info, address } = reading_of(rest)?;
    let mut real = format!("{scheme}://");
    let mut masked = real.clone();
    if let Some(user_info) = user_info {
        let (user, password) = match user_info.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (user_info, None),
        };
        let user = encoded(user)?;
        real.push_str(&user);
        masked.push_str(&user);
        if let Some(password) = password {
            real.push_str(&format!(":{}", encoded(password)?));
            masked.push_str(&format!(":{MASK}"));
        }
        real.push('@');
        masked.push('@');
    }
    real.push_str(address);
    match address.split_once('?') {
        Some((host, query)) => masked.push_str(&format!("{host}?{}", mask_query(query))),
        None => masked.push_str(address),
    }
    Ok(UrlText { real, masked })
}

/// Makes a URL of parts whose host is none of a socket, with all of them percent-encoded.
pub(in crate::engine) fn of_parts(scheme: &str, parts: &Parts) -> Result<UrlText, UrlError> {
    let mut text = String::from("//");
    if let Some(user) = &parts.user {
        text.push_str(&encode(user, b""));
    }
    if let Some(password) = &parts.password {
        text.push(':');
        text.push_str(&encode(password, b""));
    }
    if parts.user.is_some() || parts.password.is_some() {
        text.push('@');
    }
    match parts.host.as_deref() {
        Some(host) if host.contains(':') && !host.starts_with('[') => text.push_str(&format!("[{host}]")),
        Some(host) => text.push_str(host),
        None => {}
    }
    if let Some(port) = parts.port {
        text.push_str(&format!(":{port}"));
    }
    text.push('/');
    text.push_str(&encode(parts.name.as_deref().unwrap_or_default(), b"$"));
    if !parts.options.is_empty() {
        text.push('?');
        text.push_str(&query(&parts.options));
    }
    read(scheme, &text)
}

/// The folder or file of a Unix socket, where the parts name one as their host. No host of a URL can be one.
pub(in crate::engine) fn take_socket(parts: &mut Parts) -> Option<String> {
    parts.host.take_if(|host| host.starts_with('/'))
}

/// The sections of a URL as they stand in it, encoded.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Sections<'u> {
    scheme: &'u str,
    /// User, password, hosts and ports.
    authority: &'u str,
    pub(in crate::engine) name: &'u str,
    query: &'u str,
}

impl<'u> Sections<'u> {
    /// Takes a URL apart, as this module writes them.
    pub(in crate::engine) fn of(url: &'u str) -> Self {
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, name) = rest.split_once('/').unwrap_or((rest, ""));
        Self { scheme, authority, name, query }
    }

    /// The user before the hosts.
    pub(in crate::engine) fn user(&self) -> Option<&'u str> {
        let (user_info, _) = self.authority.rsplit_once('@')?;
        Some(user_info.split_once(':').map_or(user_info, |(user, _)| user))
    }

    /// The password before the hosts, decoded.
    pub(in crate::engine) fn password(&self) -> Option<String> {
        let (user_info, _) = self.authority.rsplit_once('@')?;
        user_info.split_once(':').map(|(_, password)| decoded(password))
    }

    /// The hosts and ports: `host:port,[ip]:port`.
    pub(in crate::engine) fn hosts(&self) -> &'u str {
        self.authority.rsplit_once('@').map_or(self.authority, |(_, hosts)| hosts)
    }

    /// The host and port of a URL that has no more than one of each.
    pub(in crate::engine) fn host_and_port(&self) -> (Option<&'u str>, Option<&'u str>) {
        let (host, port) = host_and_port(self.hosts());
        (Some(host).filter(|host| !host.is_empty()), port)
    }

    /// The names and values of the parameters as they stand in the URL.
    pub(in crate::engine) fn parameters(
        &self,
    ) -> impl DoubleEndedIterator<Item = (&'u str, &'u str)> + use<'u> {
        self.query.split('&').filter_map(|pair| pair.split_once('='))
    }

    /// The last parameter of this name, decoded.
    pub(in crate::engine) fn parameter(&self, name: &str) -> Option<String> {
        self.parameters().rev().find(|(key, _)| *key == name).map(|(_, value)| decoded(value))
    }

    /// Every secret of the URL, decoded.
    pub(in crate::engine) fn secrets(&self) -> Vec<String> {
        let parameters = self.parameters().filter(|(key, _)| is_secret_key(key));
        parameters.map(|(_, value)| decoded(value)).chain(self.password()).collect()
    }

    /// The URL without its secrets, for a command line that everybody can read. `value` may change the value of a
    /// parameter as it stands in the URL, given which of them it is.
    pub(in crate::engine) fn without_secrets(&self, value: impl Fn(usize, &str) -> String) -> String {
        let Self { scheme, name, .. } = self;
        let user = self.user().filter(|user| !user.is_empty()).map(|user| format!("{user}@"));
        let parameters = self.parameters().enumerate().filter(|(_, (key, _))| !is_secret_key(key));
        let parameters = parameters.map(|(index, (key, text))| format!("{key}={}", value(index, text)));
        let query = parameters.collect::<Vec<_>>().join("&");
        let question = if query.is_empty() { "" } else { "?" };
        format!("{scheme}://{}{}/{name}{question}{query}", user.unwrap_or_default(), self.hosts())
    }

    /// The URL with another password, and perhaps another user, than it has. They go before those of parameters, which
    /// are left out.
    pub(in crate::engine) fn with_credentials(&self, user: Option<&str>, password: &str) -> String {
        let Self { scheme, name, .. } = self;
        let is_kept = |key: &str| key != "password" && (key != "user" || user.is_none());
        let parameters = self.parameters().filter(|(key, _)| is_kept(key));
        let query = parameters.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("&");
        let question = if query.is_empty() { "" } else { "?" };
        let user = user.map_or_else(|| self.user().unwrap_or_default().to_owned(), |user| encode(user, b""));
        let password = encode(password, b"");
        format!("{scheme}://{user}:{password}@{}/{name}{question}{query}", self.hosts())
    }

    /// The URL of another database on the same server. Its name must need no encoding. A parameter that would go
    /// before the name is left out.
    pub(in crate::engine) fn with_name(&self, name: &str, parameter: &str) -> String {
        let Self { scheme, authority, .. } = self;
        let is_kept = |pair: &&str| {
            !pair.is_empty()
                && pair.split_once('=').is_none_or(|(key, _)| parameter.is_empty() || key != parameter)
        };
        let query: Vec<&str> = self.query.split('&').filter(is_kept).collect();
        let question = if query.is_empty() { "" } else { "?" };
        format!("{scheme}://{authority}/{name}{question}{}", query.join("&"))
    }
}

/// Where a URL leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::engine) struct Destination {
    /// The hosts with their ports; the one host is empty where the URL has none.
    pub(in crate::engine) hosts: Vec<(String, Option<u16>)>,
    parameters: Vec<(String, String)>,
}

impl Destination {
    /// The last parameter of this name.
    pub(in crate::engine) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Reads where a URL, as this module writes them, leads to.
pub(in crate::engine) fn destination(url: &str) -> Destination {
    let sections = Sections::of(url);
    let hosts = sections.hosts().split(',').map(|host| {
        let (name, port) = host_and_port(host);
        (decoded(name), port.and_then(|port| port.parse().ok()))
    });
    let parameters = sections.parameters().map(|(key, value)| (decoded(key), decoded(value)));
    Destination { hosts: hosts.collect(), parameters: parameters.collect() }
}

/// Takes `host:port` or `[ip]:port` apart.
fn host_and_port(text: &str) -> (&str, Option<&str>) {
    match text.strip_prefix('[').and_then(|ip| ip.split_once(']')) {
        Some((ip, port)) => (ip, port.strip_prefix(':')),
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    }
}

/// One way to read what follows `//`.
struct Reading<'a> {
    user_info: Option<&'a str>,
    /// Host, port, name and parameters.
    address: &'a str,
}

/// Finds the `@` that ends the user and password.
fn reading_of(rest: &str) -> Result<Reading<'_>, UrlError> {
    let ats: Vec<usize> = rest.match_indices('@').map(|(at, _)| at).collect();
    // As the standard has it: the last `@` before the path, with everything before it encoded.
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let strict = ats.iter().copied().rfind(|at| *at < authority);
    let path_end = rest.find('?').unwrap_or(rest.len());
    let reading = |at: usize| Reading { user_info: Some(&rest[..at]), address: &rest[at + 1..] };
    match strict {
        None if ats.is_empty() || (ats[0] > path_end && is_address(rest)) => {
            return if is_address(rest) {
                Ok(Reading { user_info: None, address: rest })
            } else {
                Err(UrlError::Invalid("is not of the form `scheme://user:password@host:port/name`"))
            };
        }
        Some(at)
            if is_address(&rest[at + 1..])
                && is_encoded(&rest[..at], false)
                && !rest[at + 1..path_end.max(at + 1)].contains('@') =>
        {
            return Ok(reading(at));
        }
        _ => {}
    }
    let mut plausible = ats.into_iter().filter(|at| is_address(&rest[at + 1..]));
    match (plausible.next(), plausible.next()) {
        (Some(at), None) => Ok(reading(at)),
        (Some(_), Some(_)) => Err(UrlError::Ambiguous),
        (None, _) => Err(UrlError::Invalid("is not of the form `scheme://user:password@host:port/name`")),
    }
}

/// Whether a text can be `host:port/name?parameters`, of which only the host may be several.
fn is_address(text: &str) -> bool {
    let (text, query) = text.split_once('?').map_or((text, ""), |(text, query)| (text, query));
    let (hosts, name) = text.split_once('/').unwrap_or((text, ""));
    let sound_query = query.is_empty()
        || query.split('&').all(|pair| pair.split_once('=').is_some_and(|(key, _)| is_word(key)));
    sound_query
        && !query.contains('#')
        && !name.contains(['/', '#', ' '])
        && hosts.split(',').all(|host| {
            let (host, port) = match host.strip_prefix('[') {
                Some(ip) => match ip.split_once(']') {
                    Some((ip, port)) => (ip, port.strip_prefix(':')),
                    None => return false,
                },
                None => host.split_once(':').map_or((host, None), |(host, port)| (host, Some(port))),
            };
            host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._%:".contains(&byte))
                && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
        })
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_told_from_the_rest() {
        for (url, shown, password) in [
            ("postgres://u:p%40ss@h:5433/db", "postgres://u@h:5433/db", Some("p@ss")),
            ("postgres://u:p%40ss+@h/db?sslmode=require", "postgres://u@h/db?sslmode=require", Some("p@ss+")),
            ("postgres://h/db?user=u&password=hunter2&a=b", "postgres://h/db?user=u&a=b", None),
            ("postgres://a:1,b:2/db?sslpassword=hunter2", "postgres://a:1,b:2/db", None),
            ("postgres:///db?host=%2Fvar%2Frun", "postgres:///db?host=%2Fvar%2Frun", None),
            ("mysql://u:@[::1]:3306/db", "mysql://u@[::1]:3306/db", Some("")),
        ] {
            let sections = Sections::of(url);
            assert_eq!(sections.without_secrets(|_, value| value.to_owned()), shown, "{url}");
            assert_eq!(sections.password().as_deref(), password, "{url}");
        }
    }

    #[test]
    fn hosts_as_data() {
        for (url, host, port) in [
            ("mysql://h/db", Some("h"), None),
            ("mysql://u@h:3307/db", Some("h"), Some("3307")),
            ("mysql://u@[::1]:3307/db", Some("::1"), Some("3307")),
            ("mysql:///db", None, None),
        ] {
            assert_eq!(Sections::of(url).host_and_port(), (host, port), "{url}");
        }
    }
}
