//! Variables: where they come from, and `${NAME}` in the file's texts.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use super::code::Code;
use super::draft::Draft;
use crate::text::secrets::is_secret_key;

/// The env file that is read where it is present.
const DEFAULT_ENV_FILE: &str = ".env";

/// The variables that a configuration may refer to.
#[derive(Default)]
pub(crate) struct Variables(HashMap<String, String>);

impl Variables {
    /// The given variables or those of the process, and under them those of the env file.
    pub(crate) fn read(
        given: Option<&HashMap<String, String>>,
        env_file: Option<&Path>,
        problems: &mut Vec<Draft>,
    ) -> Self {
        let mut variables = match given {
            Some(given) => given.clone(),
            // A variable that is not UTF-8 is nothing that a file could refer to.
            None => std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
        };
        let path = match (env_file, given) {
            (Some(path), _) => path,
            (None, None) if Path::new(DEFAULT_ENV_FILE).is_file() => Path::new(DEFAULT_ENV_FILE),
            _ => return Self(variables),
        };
        match dotenvy::from_path_iter(path) {
            Err(_) => problems.push(
                Draft::new(Code::MissingEnvFile, format!("the env file `{}` cannot be read", path.display()))
                    .help("an env file that is named must be there; `.env` is read without being named"),
            ),
            Ok(lines) => {
                for (index, line) in lines.enumerate() {
                    match line {
                        Ok((name, value)) => {
                            variables.entry(name).or_insert(value);
                        }
                        // The error would show the line, and the line may be a password.
                        Err(_) => problems.push(
                            Draft::new(
                                Code::BadEnvFile,
                                format!(
                                    "entry {} of the env file `{}` cannot be read",
                                    index + 1,
                                    path.display()
                                ),
                            )
                            .help("write `NAME=value`, with quotes around a value that has spaces"),
                        ),
                    }
                }
            }
        }
        Self(variables)
    }

    /// The variable's value, if it is set.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The values of all variables.
    pub(crate) fn values(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }

    /// The values of variables that hold secrets, going by their names, or URLs with passwords.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let is_secret =
            |name: &str, value: &str| is_secret_key(name) || (value.contains("://") && value.contains('@'));
        self.0.iter().filter(|(name, value)| is_secret(name, value)).map(|(_, value)| value.clone()).collect()
    }

    /// The name of the variable that overrules a database's URL: upper case, and `_` for what is
    /// neither letter nor digit.
    pub(crate) fn url_name(prefix: Option<&str>, alias: &str) -> String {
        let part = |text: &str| {
            text.chars()
                .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
                .collect::<String>()
        };
        match prefix {
            Some(prefix) if !prefix.is_empty() => {
                format!("{}_{}_DATABASE_URL", part(prefix.trim_end_matches('_')), part(alias))
            }
            _ => format!("{}_DATABASE_URL", part(alias)),
        }
    }

    /// The names of the variables whose values a text with variables takes, each once: not of those for which their
    /// default stands in.
    pub(crate) fn taken<'a>(&self, text: &'a str) -> Vec<&'a str> {
        let mut names = Vec::new();
        // A dollar sign of the text's own is `$$`, and is dropped with the second of them.
        let mut rest = text;
        while let Some((_, after)) = rest.split_once('$') {
            rest = after.strip_prefix('$').unwrap_or(after);
            let variable = after.strip_prefix('{').and_then(|after| after.split_once('}'));
            let Some((variable, _)) = variable else { continue };
            let name = variable.split_once(":-").map_or(variable, |(name, _)| name);
            if self.get(name).is_some_and(|value| !value.is_empty()) && !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Replaces `${NAME}`, `${NAME:-default}` and `$$`.
    pub(crate) fn expand<'a>(&self, text: &'a str) -> Result<Cow<'a, str>, VariableError> {
        if !text.contains('$') {
            return Ok(Cow::Borrowed(text));
        }
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            expanded.push_str(&rest[..dollar]);
            rest = &rest[dollar + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                expanded.push('$');
                rest = after;
                continue;
            }
            let variable = rest.strip_prefix('{').ok_or(VariableError::LoneDollar)?;
            let end = variable.find('}').ok_or(VariableError::Unclosed)?;
            let (name, default) = match variable[..end].split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (&variable[..end], None),
            };
            if default.is_some_and(|default| default.contains("${")) {
                return Err(VariableError::Nested);
            }
            let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !is_name {
                return Err(VariableError::BadName);
            }
            // As in a shell, a default also stands in for an empty value.
            match (self.get(name), default) {
                (Some(""), Some(default)) | (None, Some(default)) => expanded.push_str(default),
                (Some(value), _) => expanded.push_str(value),
                (None, None) => return Err(VariableError::Missing(name.to_owned())),
            }
            rest = &variable[end + 1..];
        }
        expanded.push_str(rest);
        Ok(Cow::Owned(expanded))
    }
}

/// Why a text with variables has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum VariableError {
    Missing(String),
    LoneDollar,
    Unclosed,
    Nested,
    BadName,
}

impl VariableError {
    pub(crate) fn draft(&self, mark: super::node::Mark) -> Draft {
        let wrong = |label: &str, help: &str| {
            Draft::new(Code::BadVariable, Code::BadVariable.title()).at(mark, label).help(help)
        };
        match self {
            Self::Missing(name) => {
                Draft::new(Code::MissingVariable, format!("the variable `{name}` is not set"))
                    .at(mark, format!("needs `{name}`"))
                    .help(format!("set it, put it into `.env`, or write `${{{name}:-default}}`"))
            }
            Self::LoneDollar => wrong("this `$` begins no `${NAME}`", "write `$$` for a dollar sign"),
            Self::Unclosed => wrong("this `${` is never closed", "write `${NAME}` or `${NAME:-default}`"),
            Self::Nested => {
                wrong("a default cannot hold a variable", "write `${NAME:-default}` with plain text")
            }
            Self::BadName => wrong(
                "between the braces is no name",
                "names have letters, digits and `_`; write `${NAME}` or `${NAME:-default}`",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expands_as_data() {
        let set = [("A", "1"), ("EMPTY", ""), ("YAML", "a: [b, *c]")];
        let variables =
            Variables(set.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect());
        for (text, expected) in [
            ("plain", Ok("plain")),
            ("${A}", Ok("1")),
            ("x${A}y${A}z", Ok("x1y1z")),
            ("$$", Ok("$")),
            ("$${A}", Ok("${A}")),
            ("${B:-2}", Ok("2")),
            ("${B:-}", Ok("")),
            ("${A:-2}", Ok("1")),
            ("${EMPTY:-2}", Ok("2")),
            ("${EMPTY}", Ok("")),
            ("${YAML}", Ok("a: [b, *c]")),
            ("${B:-sqlite://db/x.sqlite3}", Ok("sqlite://db/x.sqlite3")),
            ("${B}", Err(VariableError::Missing("B".into()))),
            ("$A", Err(VariableError::LoneDollar)),
            ("a$", Err(VariableError::LoneDollar)),
            ("${A", Err(VariableError::Unclosed)),
            ("${}", Err(VariableError::BadName)),
            ("${A-2}", Err(VariableError::BadName)),
            ("${1A}", Err(VariableError::BadName)),
            ("${B:-${A}}", Err(VariableError::Nested)),
        ] {
            assert_eq!(variables.expand(text).as_deref(), expected.as_ref().map(|text| *text), "{text}");
        }
    }

    #[test]
    fn names_what_it_takes() {
        let set = [("A", "1"), ("B", "2"), ("EMPTY", "")];
        let variables =
            Variables(set.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect());
        for (text, expected) in [
            ("plain", &[][..]),
            ("${B}x${A:-3}${B}", &["B", "A"]),
            ("$${A}$$${B}", &["B"]),
            ("${EMPTY:-1}${C:-2}${EMPTY}", &[]),
            ("$A ${A", &[]),
        ] {
            assert_eq!(variables.taken(text), expected, "{text}");
        }
    }

    #[test]
    fn names_the_variable_of_a_url() {
        assert_eq!(Variables::url_name(None, "blog_db"), "BLOG_DB_DATABASE_URL");
        assert_eq!(Variables::url_name(Some("shop"), "blog-db.eu"), "SHOP_BLOG_DB_EU_DATABASE_URL");
        assert_eq!(Variables::url_name(Some("SHOP_"), "a"), "SHOP_A_DATABASE_URL");
    }
}
