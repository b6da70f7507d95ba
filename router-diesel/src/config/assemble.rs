//! Puts the tree together: the file, what it includes, and the environment that was chosen.

use std::cell::RefCell;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use rustc_hash::{FxHashMap, FxHashSet};

use super::code::Code;
use super::draft::Draft;
use super::env::Variables;
use super::file::EnvironmentSection;
use super::merge::overlay;
use super::node::{Entry, Mark, Node, Value};
use super::parse::{self, Places};
use super::read::{Context, read, unknown_key};
use super::snippet::Sources;
use super::values::{OneOrMany, Ordered};

/// The largest file that is read: 16 MiB. Ten thousand databases with ten apps each take about six.
pub(crate) const LARGEST: u64 = 16 << 20;

/// The keys of a file that is included.
const INCLUDED_KEYS: [&str; 3] = ["apps", "databases", "include"];

/// The keys that say where a database is.
pub(crate) const URL_KEYS: [&str; 8] =
    ["url", "engine", "host", "port", "name", "user", "password", "options"];

/// The environment's name, and whether somebody asked for it.
pub(crate) struct Chosen<'a> {
    pub(crate) name: &'a str,
    pub(crate) explicitly: bool,
}

/// Reads files and puts them together.
pub(crate) struct Assembler<'a> {
    pub(crate) variables: &'a Variables,
    places: Places,
    pub(crate) sources: Sources,
    pub(crate) problems: RefCell<Vec<Draft>>,
    pub(crate) files: Vec<PathBuf>,
    /// All of them by the names under which the file system knows them.
    known: FxHashSet<PathBuf>,
    /// The files that are being read, each included by the one before it.
    open: Vec<PathBuf>,
}

impl<'a> Assembler<'a> {
    pub(crate) fn new(variables: &'a Variables, problems: Vec<Draft>, places: Places) -> Self {
        Self {
            variables,
            places,
            sources: Sources::default(),
            problems: RefCell::new(problems),
            files: Vec::new(),
            known: FxHashSet::default(),
            open: Vec::new(),
        }
    }

    fn tell(&self, draft: Draft) {
        self.problems.borrow_mut().push(draft);
    }

    /// Reads the main file. Nothing, where there is nothing to go on with.
    pub(crate) fn file(&mut self, path: &Path) -> Option<Node> {
        match read_file(path) {
            Ok(text) => self.text(&path.display().to_string(), Some(path), text),
            Err(draft) => {
                self.tell(*draft);
                None
            }
        }
    }

    /// Reads a text and what it includes.
    pub(crate) fn text(&mut self, name: &str, path: Option<&Path>, text: String) -> Option<Node> {
        let mut root = self.tree(name, text)?;
        self.files.push(path.map_or_else(|| name.into(), Path::to_owned));
        let canonical = path.and_then(|path| path.canonicalize().ok()).unwrap_or_default();
        self.known.insert(canonical.clone());
        self.open.push(canonical);
        if let Some(include) = root.take("include") {
            let folder = path.unwrap_or(Path::new(name)).parent().unwrap_or(Path::new(""));
            self.include(&mut root, &include, folder);
        }
        self.open.pop();
        Some(root)
    }

    fn tree(&mut self, name: &str, text: String) -> Option<Node> {
        let text = match text.strip_prefix('\u{feff}') {
            Some(text) => text.to_owned(),
            None => text,
        };
        let number = self.sources.add(name, text);
        let first = Mark { file: number, line: 1, column: 1 };
        let text = self.sources.text(number);
        if text.contains('\0') {
            self.tell(Draft::new(Code::NotText, format!("`{name}` is not text: it holds a NUL byte")));
            return None;
        }
        let mut problems = Vec::new();
        let tree = parse::parse(text, number, self.places, &mut problems);
        self.problems.borrow_mut().extend(problems);
        match tree {
            Ok(root) => match root.value {
                Value::Map(_) => Some(root),
                Value::Null => {
                    self.tell(
                        Draft::new(Code::EmptyFile, format!("`{name}` is empty"))
                            .help("declare at least one database: `databases: { default: { url: … } }`"),
                    );
                    None
                }
                _ => {
                    let message = format!("expected the settings of a file, found {}", root.kind());
                    let label = format!("this is {}", root.kind());
                    self.tell(Draft::new(Code::WrongType, message).at(root.mark.or(first), label));
                    None
                }
            },
            Err(draft) => {
                self.tell(*draft);
                None
            }
        }
    }

    /// Adds the apps and databases of the included files to the root.
    fn include(&mut self, root: &mut Node, include: &Entry, folder: &Path) {
        let variables = self.variables;
        let names = {
            let context = Context { variables: Some(variables), problems: &self.problems };
            read::<OneOrMany>(&include.node, include.mark, &context).unwrap_or_default()
        };
        for (index, name) in names.iter() {
            let mark = element_mark(include, index);
            for path in self.matching(folder, name, mark) {
                let canonical = path.canonicalize().unwrap_or_else(|_| path.clone());
                if self.open.contains(&canonical) {
                    self.tell(
                        Draft::new(Code::IncludeCycle, format!("`{}` includes itself", path.display()))
                            .at(mark, "this file is being read already"),
                    );
                    continue;
                }
                // By two ways into one file: what it declares is there already.
                if self.known.contains(&canonical) {
                    continue;
                }
                let text = match read_file(&path) {
                    Ok(text) => text,
                    Err(draft) => {
                        self.tell(draft.at(mark, "included here"));
                        continue;
                    }
                };
                if let Some(included) = self.text(&path.display().to_string(), Some(&path), text) {
                    self.add(root, included);
                }
            }
        }
    }

    /// The files that a name or a glob means, sorted.
    fn matching(&self, folder: &Path, name: &str, mark: Mark) -> Vec<PathBuf> {
        if !name.contains(['*', '?', '[']) {
            let path = folder.join(name);
            if path.is_file() {
                return vec![path];
            }
            let message = format!("the included file `{}` cannot be read", path.display());
            self.tell(
                Draft::new(Code::MissingInclude, message)
                    .at(mark, "there is no such file")
                    .help("the name is relative to the file that includes it"),
            );
            return Vec::new();
        }
        // A folder's own name may hold what a glob would take for its own.
        let pattern = Path::new(&glob::Pattern::escape(&folder.to_string_lossy())).join(name);
        match glob::glob(&pattern.to_string_lossy()) {
            Ok(paths) => {
                let mut paths: Vec<PathBuf> =
                    paths.filter_map(Result::ok).filter(|path| path.is_file()).collect();
                paths.sort();
                paths
            }
            Err(error) => {
                let message = format!("`{name}` is no glob: {}", error.msg);
                self.tell(Draft::new(Code::MissingInclude, message).at(mark, "this matches nothing"));
                Vec::new()
            }
        }
    }

    /// Adds an included file to the root.
    fn add(&self, root: &mut Node, included: Node) {
        let Value::Map(sections) = included.value else { return };
        for section in sections {
            if section.key.starts_with("x-") {
                continue;
            }
            if section.key != "apps" && section.key != "databases" {
                let context = Context { variables: None, problems: &self.problems };
                unknown_key(&section, &INCLUDED_KEYS, &context);
                if let Some(draft) = self.problems.borrow_mut().last_mut() {
                    draft.help = Some("an included file adds `apps` and `databases` only".to_owned());
                }
                continue;
            }
            let Value::Map(sections) = &mut root.value else { return };
            match sections.iter_mut().find(|own| own.key == section.key) {
                None => sections.push(section),
                Some(own) if matches!(own.node.value, Value::Null) => *own = section,
                Some(own) => self.add_section(own, section),
            }
        }
    }

    fn add_section(&self, own: &mut Entry, section: Entry) {
        let (Value::Map(entries), Value::Map(added)) = (&mut own.node.value, section.node.value) else {
            self.tell(
                Draft::new(Code::WrongType, format!("expected a map of {}", section.key))
                    .at(section.mark, "in this file or in the one that includes it it is none"),
            );
            return;
        };
        let names: FxHashMap<String, Mark> =
            entries.iter().map(|entry| (entry.key.clone(), entry.mark)).collect();
        for entry in added {
            match names.get(&entry.key) {
                None => entries.push(entry),
                Some(first) => self.tell(
                    Draft::new(Code::DeclaredTwice, format!("`{}` is declared in two files", entry.key))
                        .at(entry.mark, "again here")
                        .also(*first, "first here")
                        .help("remove one of the two"),
                ),
            }
        }
    }

    /// Lays the chosen environment over the root, looks the others over, and says whether the chosen one is declared.
    pub(crate) fn environment(&self, root: &mut Node, chosen: &Chosen<'_>) -> bool {
        let Some(environments) = root.take("environments") else { return false };
        let context = Context { variables: None, problems: &self.problems };
        // Variables of an environment that was not chosen need not be set.
        let _: Option<Ordered<EnvironmentSection>> = read(&environments.node, environments.mark, &context);
        let names: Vec<String> =
            environments.node.entries().iter().map(|environment| environment.key.clone()).collect();
        let mut node = environments.node;
        if let Some(environment) = node.take(chosen.name) {
            overlay(root, environment.node);
            return true;
        }
        if chosen.explicitly && chosen.name != super::loader::DEFAULT_ENVIRONMENT {
            let draft =
                Draft::new(Code::UnknownEnvironment, format!("unknown environment `{}`", chosen.name))
                    .at(environments.mark, format!("none of these is called `{}`", chosen.name))
                    .help(format!("declare it, if only as `{}: {{}}`", chosen.name))
                    .did_you_mean(chosen.name, names.iter().map(String::as_str));
            self.tell(draft);
        }
        false
    }

    /// Takes away what the file says about a URL where a variable overrules it, so that no variable is
    /// asked for in vain. Returns the variables' names by alias.
    pub(crate) fn overrule(&self, root: &mut Node) -> FxHashMap<String, String> {
        let prefix = match root.entry("env_prefix").map(|entry| &entry.node.value) {
            Some(Value::Text(prefix)) => self.variables.expand(prefix).ok().map(|prefix| prefix.into_owned()),
            _ => None,
        };
        let mut overruled = FxHashMap::default();
        let Value::Map(sections) = &mut root.value else { return overruled };
        let databases = sections.iter_mut().find(|section| section.key == "databases");
        let Some(Value::Map(databases)) = databases.map(|databases| &mut databases.node.value) else {
            return overruled;
        };
        for database in databases {
            let name = Variables::url_name(prefix.as_deref(), &database.key);
            if self.variables.get(&name).is_none_or(str::is_empty) {
                continue;
            }
            match &mut database.node.value {
                Value::Map(entries) => entries.retain(|entry| !URL_KEYS.contains(&entry.key.as_str())),
                Value::Null => {}
                _ => continue,
            }
            overruled.insert(database.key.clone(), name);
        }
        overruled
    }
}

/// The place of an element of a list, or of the one value that stands for a list of one.
pub(crate) fn element_mark(entry: &Entry, index: usize) -> Mark {
    let element = match &entry.node.value {
        Value::List(nodes) => nodes.get(index).map_or(Mark::default(), |node| node.mark),
        _ => Mark::default(),
    };
    element.or(entry.value_mark())
}

/// Reads a file of text that is not too large.
fn read_file(path: &Path) -> Result<String, Box<Draft>> {
    let name = path.display();
    let cannot = |error: std::io::Error| {
        Draft::new(Code::MissingFile, format!("`{name}` cannot be read: {}", reason(&error)))
            .help("say where it is with `--config`, `DBROUTER_CONFIG` or `Config::from_file`")
            .boxed()
    };
    let too_large = || {
        Draft::new(Code::TooLarge, format!("`{name}` is larger than {} MiB", LARGEST >> 20))
            .help("split it with `include`, or look whether it is a configuration at all")
            .boxed()
    };
    let file = File::open(path).map_err(cannot)?;
    if file.metadata().map_err(cannot)?.len() > LARGEST {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    // What is no plain file has no length to be asked for.
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > LARGEST {
        return Err(too_large());
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        Draft::new(Code::NotText, format!("`{name}` is not text: line {line} is not UTF-8"))
            .help("save the file as UTF-8")
            .boxed()
    })
}

/// A reason without the operating system's number for it.
fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string(),
    }
}
