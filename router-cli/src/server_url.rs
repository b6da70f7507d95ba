//! The parts of a server's URL, for what cannot take the URL as a whole.

use router_diesel::config::DatabaseUrl;

/// A URL of PostgreSQL or MySQL in its parts. `Debug` is not there on purpose: this holds the password.
pub(crate) struct ServerUrl {
    scheme: String,
    /// The user as it stands in the URL.
    user: Option<String>,
    password: Option<String>,
    /// Host and port, of which there may be several.
    hosts: String,
    /// The name of the database as it stands in the URL.
    pub(crate) name: String,
    parameters: Vec<Parameter>,
}

/// One parameter of a URL.
pub(crate) struct Parameter {
    pub(crate) key: String,
    /// The value as it stands in the URL.
    value: String,
    /// Whether the URL hides it wherever it is shown.
    pub(crate) is_secret: bool,
}

impl Parameter {
    /// The value, decoded.
    pub(crate) fn value(&self) -> String {
        decode(&self.value)
    }
}

impl ServerUrl {
    /// Takes a URL apart; nothing for one of SQLite, which is a path.
    pub(crate) fn new(url: &DatabaseUrl) -> Option<Self> {
        let (scheme, rest) = url.expose().split_once("://")?;
        let (rest, query) = split_query(rest);
        let (authority, name) = rest.split_once('/').unwrap_or((rest, ""));
        // A checked URL has no raw `@` in its user or password.
        let (user_info, hosts) = match authority.split_once('@') {
            Some((user_info, hosts)) => (Some(user_info), hosts),
            None => (None, authority),
        };
        let (user, password) = match user_info.map(|it| it.split_once(':').ok_or(it)) {
            Some(Ok((user, password))) => (Some(user), Some(password)),
            Some(Err(user)) => (Some(user), None),
            None => (None, None),
        };
        // Which parameters are secret, the URL itself knows.
        let shown = url.to_string();
        let masked = split_query(&shown).1;
        let parameters = query.split('&').zip(masked.split('&')).filter_map(|(pair, masked)| {
            let (key, value) = pair.split_once('=')?;
            let is_secret = masked.split_once('=').is_none_or(|(_, shown)| shown == "***" || shown != value);
            Some(Parameter { key: key.to_owned(), value: value.to_owned(), is_secret })
        });
        Some(Self {
            scheme: scheme.to_owned(),
            user: user.filter(|user| !user.is_empty()).map(str::to_owned),
            password: password.map(decode),
            hosts: hosts.to_owned(),
            name: name.to_owned(),
            parameters: parameters.collect(),
        })
    }

    pub(crate) fn user(&self) -> Option<String> {
        self.user.as_deref().map(decode)
    }

    /// The password, decoded. One among the parameters counts before that of the user, as libpq has it.
    pub(crate) fn password(&self) -> Option<String> {
        let parameter = self.parameters.iter().rev().find(|parameter| parameter.key == "password");
        parameter.map(Parameter::value).or_else(|| self.password.clone())
    }

    /// The host and port of a URL that has no more than one of each.
    pub(crate) fn host_and_port(&self) -> (Option<&str>, Option<&str>) {
        let (host, port) = match self.hosts.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => self.hosts.split_once(':').map_or((self.hosts.as_str(), None), |(h, p)| (h, Some(p))),
        };
        (Some(host).filter(|host| !host.is_empty()), port)
    }

    /// The parameters without the password.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(|parameter| parameter.key != "password")
    }

    /// Adds words to a parameter, if the URL has it. Where it is given twice, the last one counts.
    pub(crate) fn append_to(&mut self, key: &str, words: &str) -> bool {
        let parameter = self.parameters.iter_mut().rev().find(|parameter| parameter.key == key);
        let Some(parameter) = parameter else { return false };
        parameter.value.push_str(&format!(" {words}").replace(' ', "%20").replace('=', "%3D"));
        true
    }

    /// The URL without its secrets, for a command line that everybody can read.
    pub(crate) fn without_secrets(&self) -> String {
        let mut url = format!("{}://", self.scheme);
        if let Some(user) = &self.user {
            url.push_str(&format!("{user}@"));
        }
        url.push_str(&format!("{}/{}", self.hosts, self.name));
        let open = self.parameters().filter(|parameter| !parameter.is_secret);
        for (index, Parameter { key, value, .. }) in open.enumerate() {
            url.push_str(&format!("{}{key}={value}", if index == 0 { '?' } else { '&' }));
        }
        url
    }
}

/// Hides what a driver may have repeated of a URL in its error.
pub(crate) fn hide_secrets(text: &str, url: &DatabaseUrl) -> String {
    /// A shorter secret would tear words apart, and be betrayed by where it did.
    const SHORTEST: usize = 4;

    let mut text = text.replace(url.expose(), &url.to_string());
    if let Some(parts) = ServerUrl::new(url) {
        let secrets = parts.parameters.iter().filter(|parameter| parameter.is_secret).map(Parameter::value);
        for secret in secrets.chain(parts.password.clone()).filter(|secret| secret.len() >= SHORTEST) {
            text = text.replace(&secret, "***");
        }
    }
    text
}

fn split_query(url: &str) -> (&str, &str) {
    url.split_once('?').unwrap_or((url, ""))
}

/// Decodes `%40`. A plus sign stays one, as libpq has it.
pub(crate) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%').then(|| after.get(..2)).flatten().and_then(|digits| {
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            Some(digit(digits[0])? * 16 + digit(digits[1])?)
        });
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> ServerUrl {
        ServerUrl::new(&url.parse().unwrap()).unwrap()
    }

    #[test]
    fn secrets_are_told_from_the_rest() {
        for (url, shown, password) in [
            ("postgres://u:p%40ss@h:5433/db", "postgres://u@h:5433/db", Some("p@ss")),
            ("postgres://u:p@ss+@h/db?sslmode=require", "postgres://u@h/db?sslmode=require", Some("p@ss+")),
            ("postgres://h/db?user=u&password=hunter2&a=b", "postgres://h/db?user=u&a=b", Some("hunter2")),
            ("postgres://a:1,b:2/db?sslpassword=hunter2", "postgres://a:1,b:2/db", None),
            ("postgres:///db?host=%2Fvar%2Frun", "postgres:///db?host=%2Fvar%2Frun", None),
            ("mysql://u:@[::1]:3306/db", "mysql://u@[::1]:3306/db", Some("")),
        ] {
            let parts = parts(url);
            assert_eq!(parts.without_secrets(), shown, "{url}");
            assert_eq!(parts.password().as_deref(), password, "{url}");
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
            assert_eq!(parts(url).host_and_port(), (host, port), "{url}");
        }
    }

    #[test]
    fn an_error_repeats_no_secret() {
        let url: DatabaseUrl = "postgres://u:p%40ssword@h/db?sslpassword=hunter2".parse().unwrap();
        let error = format!("no {}; `p@ssword` and `hunter2` are wrong", url.expose());
        let hidden = "no postgres://u:***@h/db?sslpassword=***; `***` and `***` are wrong";
        assert_eq!(hide_secrets(&error, &url), hidden);
    }

    #[test]
    fn a_percent_sign_without_digits_is_one() {
        assert_eq!(decode("100%"), "100%");
        assert_eq!(decode("%4"), "%4");
        assert_eq!(decode("%zz%C3%A9"), "%zzé");
        assert_eq!(decode("%+1"), "%+1");
    }
}
