//! Who connects, and by which password, where the URL does not say it.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

use super::url::server::Sections;
use super::{DatabaseUrl, UrlError};
use crate::text::secrets::MASK;

/// The largest password that is read from a file: 64 KiB. Tokens have a few.
const LARGEST: u64 = 64 << 10;

/// A password for new connections, and perhaps the user whose it is. `Debug` does not show the password.
///
/// ```
/// use router_diesel::backend::Credentials;
///
/// let token = Credentials::of_user("blog", "hunter2");
/// assert_eq!(format!("{token:?}"), r#"Credentials { user: Some("blog"), password: "***" }"#);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    user: Option<String>,
    password: String,
}

impl Credentials {
    /// A password for the user of the URL.
    #[must_use]
    pub fn password(password: impl Into<String>) -> Self {
        Self { user: None, password: password.into() }
    }

    /// A password with its user, who takes the place of the URL's.
    #[must_use]
    pub fn of_user(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: Some(user.into()), password: password.into() }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).field("password", &MASK).finish()
    }
}

impl DatabaseUrl {
    /// Whether the URL holds a password.
    pub(crate) fn has_password(&self) -> bool {
        let has = |sections: Sections<'_>| {
            let mut passwords = sections.password().into_iter().chain(sections.parameter("password"));
            passwords.any(|password| !password.is_empty())
        };
        self.takes_passwords() && has(Sections::of(self.expose()))
    }

    /// Whether the engine has users and passwords at all.
    pub(crate) fn takes_passwords(&self) -> bool {
        self.engine().spec().has_servers()
    }

    /// The URL with other credentials in the place of its own.
    ///
    /// # Errors
    /// They cannot stand in a URL.
    pub(super) fn with_credentials(&self, credentials: &Credentials) -> Result<Self, UrlError> {
        let Credentials { user, password } = credentials;
        if [user.as_deref().unwrap_or_default(), password].iter().any(|text| text.contains('\0')) {
            return Err(UrlError::Invalid("holds a control character"));
        }
        self.with_text(&Sections::of(self.expose()).with_credentials(user.as_deref(), password))
    }
}

/// Reads a password from a file, without the newline at its end.
///
/// # Errors
/// Why there is none, without anything of what the file holds.
pub(super) fn read_password(path: &Path) -> Result<String, String> {
    let cannot = |error: io::Error| match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        kind => kind.to_string(),
    };
    // To open a pipe would wait for a writer, and to read a device might never end.
    let metadata = fs::metadata(path).map_err(cannot)?;
    if metadata.is_dir() {
        return Err("it is a folder".to_owned());
    }
    if !metadata.is_file() {
        return Err("it is no ordinary file".to_owned());
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes)).map_err(cannot)?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!("it is larger than {} KiB", LARGEST >> 10));
    }
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let password = line.strip_suffix('\r').filter(|_| line.len() < text.len()).unwrap_or(line);
    if password.is_empty() {
        return Err("it is empty".to_owned());
    }
    Ok(password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_take_the_place_of_the_urls_own() {
        let password = Credentials::password("p@/ %:?#é");
        let encoded = "p%40%2F%20%25%3A%3F%23%C3%A9";
        let user = Credentials::of_user("n:e@w", "x+y");
        for (url, credentials, expected) in [
            (
                "postgres://u@h:5433/db?sslmode=require",
                &password,
                "postgres://u:PW@h:5433/db?sslmode=require",
            ),
            ("postgres://u:old@a:1,b:2/db", &password, "postgres://u:PW@a:1,b:2/db"),
            ("postgres://h/db", &password, "postgres://:PW@h/db"),
            (
                "postgres://h/db?user=u&password=old&sslmode=require",
                &password,
                "postgres://:PW@h/db?user=u&sslmode=require",
            ),
            ("postgres:///db?host=%2Frun&user=u", &user, "postgres://n%3Ae%40w:x%2By@/db?host=%2Frun"),
            ("mysql://u:old@[::1]:3307/db", &password, "mysql://u:PW@[::1]:3307/db"),
            ("mariadb://u@h/db?ssl_mode=required", &user, "mysql://n%3Ae%40w:x%2By@h/db?ssl_mode=required"),
        ] {
            let url: DatabaseUrl = url.parse().unwrap();
            let with = url.with_credentials(credentials).unwrap();
            assert_eq!(with.expose(), expected.replace("PW", encoded), "{url}");
            assert_eq!(with.product(), url.product(), "{url}");
            let shown = format!("{with} {with:?} {credentials:?}");
            assert!(
                !shown.contains(encoded) && !shown.contains("x%2By") && !shown.contains("x+y"),
                "{shown}"
            );
        }
        let url: DatabaseUrl = "postgres://h/db".parse().unwrap();
        url.with_credentials(&Credentials::password("a\0b")).unwrap_err();
    }

    #[test]
    fn a_url_with_a_password_is_known() {
        for (url, has) in [
            ("postgres://u:p@h/db", true),
            ("postgres://h/db?password=p", true),
            ("mysql://u:p@h/db", true),
            ("postgres://u:@h/db", false),
            ("postgres://u@h/db?passfile=%2Fx", false),
            ("mysql://u@h/db", false),
            ("sqlite://x?vfs=crypt&password=p", false),
        ] {
            assert_eq!(url.parse::<DatabaseUrl>().unwrap().has_password(), has, "{url}");
        }
    }

    #[test]
    fn one_newline_at_the_end_is_no_part_of_a_password() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        for (content, expected) in [
            ("secret", Ok("secret")),
            ("secret\n", Ok("secret")),
            ("secret\r\n", Ok("secret")),
            ("secret\n\n", Ok("secret\n")),
            (" two words \n", Ok(" two words ")),
            ("secret\r", Ok("secret\r")),
            ("", Err("it is empty")),
            ("\n", Err("it is empty")),
        ] {
            fs::write(&path, content).unwrap();
            assert_eq!(read_password(&path).as_deref().map_err(String::as_str), expected, "{content:?}");
        }
        fs::write(&path, b"s\xffcret").unwrap();
        assert_eq!(read_password(&path).unwrap_err(), "it is not UTF-8");
        fs::write(&path, vec![b'x'; 70_000]).unwrap();
        assert_eq!(read_password(&path).unwrap_err(), "it is larger than 64 KiB");
        assert_eq!(read_password(folder.path()).unwrap_err(), "it is a folder");
        assert_eq!(read_password(&folder.path().join("none")).unwrap_err(), "there is no such file");
        #[cfg(unix)]
        assert_eq!(read_password(Path::new("/dev/zero")).unwrap_err(), "it is no ordinary file");
    }
}
