//! Finds out where a database is: from the environment, else its URL, else the parts of one.

use super::claims::and;
use super::{Checker, is_name, mark_of};
use crate::config::assemble::URL_KEYS;
use crate::config::code::Code;
use crate::config::draft::{Draft, nearest};
use crate::config::env::Variables;
use crate::config::file::DatabaseSection;
use crate::config::node::{Entry, Mark, Node};
use crate::config::values::{Ordered, Secret};
use crate::engine::url::{Parts, StrayParts};
use crate::engine::{DatabaseUrl, Engine, EngineWord, OptionProblem, UrlError, words};

const PARTS: [&str; 6] = ["host", "port", "name", "user", "password", "options"];

impl Checker<'_> {
    /// The URL of a database; nothing where it has none that can be used, which is then told.
    pub(super) fn url(&mut self, entry: &Entry, section: &DatabaseSection) -> Option<DatabaseUrl> {
        let url = self.usable_url(entry, section)?;
        let mark = mark_of(&entry.node, "url").or(entry.mark);
        for problem in url.doubtful_options() {
            let draft = option(&problem, &format!("the URL of `{}`", entry.key));
            self.tell(
                draft
                    .at(option_mark(&problem, &entry.node, mark), "the client library is the judge of this")
                    .note(),
            );
        }
        Some(url)
    }

    fn usable_url(&mut self, entry: &Entry, section: &DatabaseSection) -> Option<DatabaseUrl> {
        let node = &entry.node;
        if let Some(variable) = self.overruled.get(&entry.key) {
            let url = DatabaseUrl::parse(self.variables.get(variable)?.trim());
            let source = format!("the URL that `{variable}` gives `{}`", entry.key);
            return url.map_err(|error| self.bad_url(&error, &source, node, entry.mark)).ok();
        }
        let engines: Vec<(&str, EngineWord)> = words::all().map(|word| (word.text, word)).collect();
        let engine = self.word(node, "engine", &section.engine, &engines);
        let part = PARTS.into_iter().find_map(|key| node.entry(key).map(|part| (key, part)));
        match (&section.url.get(), part) {
            (Some(Secret(url)), None) => {
                // A wrong engine has been told of; the URL then speaks for itself.
                let url = DatabaseUrl::parse_for(url, engine);
                url.map_err(|error| self.bad_url(&error, &self.source(entry), node, mark_of(node, "url")))
                    .ok()
            }
            (Some(_), Some((key, part))) => {
                self.tell(
                    Draft::new(Code::UrlAndParts, format!("`{}` has both `url` and `{key}`", entry.key))
                        .at(part.mark, "this is a part of a URL")
                        .also(mark_of(node, "url"), "this is a whole one")
                        .help("keep one of the two; in an environment, `url: ~` takes away the one above it"),
                );
                None
            }
            (None, _) if !section.url.is_absent() => None,
            (None, None) => {
                let variable = Variables::url_name(self.env_prefix.as_deref(), &entry.key);
                if engine.is_some() || section.engine.is_absent() {
                    let draft = Draft::new(Code::NoUrl, format!("nothing says where `{}` is", entry.key))
                        .at(entry.mark, "this database has no URL");
                    // What is no name may be a URL, and its letters would be those of its password.
                    self.tell(if is_name(&entry.key) {
                        draft.help(format!("add `url`, or set the variable `{variable}`"))
                    } else {
                        draft.help("add `url`")
                    });
                }
                None
            }
            (None, Some((key, part))) => {
                let Some(engine) = engine else {
                    if section.engine.is_absent() {
                        self.tell(
                            Draft::new(Code::Misplaced, format!("`{key}` needs `engine` beside it"))
                                .at(part.mark, "a part of a URL of which the kind is unknown")
                                .help(format!("add {}", or(Engine::ALL, |name| format!("`engine: {name}`")))),
                        );
                    }
                    return None;
                };
                self.url_of_parts(entry, section, engine)
            }
        }
    }

    fn url_of_parts(
        &mut self,
        entry: &Entry,
        section: &DatabaseSection,
        word: EngineWord,
    ) -> Option<DatabaseUrl> {
        let node = &entry.node;
        if let Some(StrayParts { keys, why, help }) = word.engine.spec().stray_parts()
            && let Some(stray) = keys.iter().find_map(|key| node.entry(key))
        {
            let title = word.engine.spec().title();
            self.tell(
                Draft::new(Code::Misplaced, format!("`{}` means nothing for {title}", stray.key))
                    .at(stray.mark, why)
                    .also(mark_of(node, "engine"), format!("here {title} is chosen"))
                    .help(help),
            );
            return None;
        }
        let options = section.options.get().map_or(&[][..], |Ordered(options)| options);
        let parts = Parts {
            host: section.host.get().cloned(),
            port: section.port.get().copied(),
            name: section.name.get().cloned(),
            user: section.user.get().cloned(),
            password: section.password.get().map(|Secret(password)| password.clone()),
            options: options
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), value.get()?.0.clone())))
                .collect(),
        };
        let url = DatabaseUrl::from_parts(word, parts);
        url.map_err(|error| self.bad_url(&error, &self.source(entry), node, mark_of(node, "engine"))).ok()
    }

    /// What a URL is called in a message: with the names of the variables in it, as the mistake may be theirs.
    fn source(&self, entry: &Entry) -> String {
        let variables = self.variables;
        let mut names: Vec<String> = Vec::new();
        let settings = URL_KEYS.iter().filter_map(|key| entry.node.entry(key)).flat_map(|setting| {
            let values = setting.node.entries().iter().map(|option| &option.node);
            values.chain([&setting.node])
        });
        for name in settings.filter_map(Node::text).flat_map(|text| variables.taken(text)) {
            let name = format!("`{name}`");
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let source = format!("the URL of `{}`", entry.key);
        if names.is_empty() {
            source
        } else {
            format!("{source}, with {} from the environment,", and(&names))
        }
    }

    fn bad_url(&mut self, error: &UrlError, source: &str, node: &Node, mark: Mark) {
        let draft = match error {
            UrlError::UnknownScheme(scheme) => {
                let help = match nearest(scheme, words::schemes().map(|word| word.text)) {
                    Some(scheme) => format!("did you mean `{scheme}`?"),
                    None => format!("use {}", schemes()),
                };
                Draft::new(Code::UnknownScheme, format!("{source} has the unknown scheme `{scheme}`"))
                    .at(mark, "no engine is known by this scheme")
                    .help(help)
            }
            UrlError::NoScheme => Draft::new(Code::BadUrl, format!("{source} has no scheme"))
                .at(mark, "what kind of database is this?")
                .help(format!("begin it with {}; a path alone needs {}", schemes(), engines_of_paths())),
            UrlError::Ambiguous => Draft::new(Code::AmbiguousUrl, format!("{source} can be read in several ways"))
                .at(mark, "where does the password end, and is it encoded already?")
                .help(
                    "percent-encode all of the password (`@` is `%40`, `/` is `%2F`, `%` is `%25`), or write the parts: \
                     `engine`, `host`, `port`, `name`, `user`, `password`",
                ),
            UrlError::EngineMismatch { named, scheme } => {
                Draft::new(Code::EngineMismatch, format!("{source} is one of {scheme}, but `engine` is {named}"))
                    .at(mark, format!("this is a URL of {scheme}"))
                    .help("leave `engine` out: the scheme says it")
            }
            UrlError::Options(problems) => {
                for problem in problems {
                    self.tell(option(problem, source).at(option_mark(problem, node, mark), "it would be ignored"));
                }
                return;
            }
            UrlError::Invalid(reason) => Draft::new(Code::BadUrl, format!("{source} {reason}")).at(mark, "here"),
        };
        self.tell(draft);
    }
}

/// An option of a URL that is not known, or that has a value which is not.
fn option(OptionProblem { message, help, .. }: &OptionProblem, source: &str) -> Draft {
    Draft::new(Code::UnknownKey, format!("{message} in {}", source.trim_end_matches(','))).help(help.as_str())
}

/// Where an option stands: under `options`, else in the URL.
fn option_mark(problem: &OptionProblem, node: &Node, url: Mark) -> Mark {
    let options = node.entry("options").map(|options| &options.node);
    options.and_then(|options| options.entry(&problem.option)).map_or(url, |option| option.mark)
}

/// What a URL may begin with, in words: `sqlite://`, `postgres://` or `mysql://`.
fn schemes() -> String {
    or(Engine::ALL, |name| format!("`{name}://`"))
}

/// What makes a path a URL, in words: `engine: sqlite`.
fn engines_of_paths() -> String {
    let takes_paths = |engine: &&Engine| engine.spec().reads_bare("path", true);
    let engines: Vec<Engine> = Engine::ALL.iter().filter(takes_paths).copied().collect();
    or(&engines, |name| format!("`engine: {name}`"))
}

/// Engines as they are said: `a, b or c`.
fn or(engines: &[Engine], say: impl Fn(Engine) -> String) -> String {
    let names: Vec<String> = engines.iter().copied().map(say).collect();
    match &names[..] {
        [names @ .., last] if !names.is_empty() => format!("{} or {last}", names.join(", ")),
        names => names.concat(),
    }
}
