//! Checks the apps and the tables that are theirs.

use router_core::AppLabel;
use rustc_hash::FxHashMap;

use super::{Apps, Checker, element_of, is_name, mark_of};
use crate::config::code::Code;
use crate::config::draft::Draft;
use crate::config::file::AppSection;
use crate::config::model::App;
use crate::config::node::{Entry, Mark, Node};
use crate::config::tables::{Part, PatternError, TableMap, TablePattern};
use crate::config::values::{OneOrMany, Setting};
use crate::text::names::NameError;

impl Checker<'_> {
    /// An app that is declared.
    pub(super) fn app(&mut self, apps: &mut Apps, entry: &Entry, section: Setting<AppSection>) {
        if !self.label_is_sound(&entry.key, entry.mark) {
            return;
        }
        let label = AppLabel::new(&entry.key);
        if apps.index.contains_key(&label) {
            let first = apps.mark(&label);
            self.tell(
                Draft::new(Code::DuplicateKey, format!("the app `{label}` is declared twice"))
                    .at(entry.mark, "of a dotted name the last part counts")
                    .also(first, "first here"),
            );
            return;
        }
        self.same_but_case(apps, &label, entry.mark);
        let section = section.take().unwrap_or_default();
        let mut tables = Vec::new();
        match section.tables.get() {
            None => tables = TablePattern::defaults(&label),
            Some(names) => {
                if names.is_empty() {
                    self.tell(
                        Draft::new(Code::Unreachable, format!("no table belongs to the app `{label}`"))
                            .at(mark_of(&entry.node, "tables"), "this list is empty")
                            .help(format!(
                                "list its tables, or leave `tables` out for `{label}_*` and `{label}.*`"
                            )),
                    );
                }
                for (index, name) in names.iter() {
                    match TablePattern::read(name) {
                        Ok(pattern) => tables.push(pattern),
                        Err(error) => {
                            let mark = element_of(&entry.node, "tables", index);
                            self.tell(bad_pattern(name, &error).at(mark, "not a name or a glob"));
                        }
                    }
                }
            }
        }
        let functions = self.functions_of(&entry.node, &section.functions);
        let folder = section.migrations.take();
        let names_migrations = folder.is_some();
        let migrations = folder.unwrap_or_else(|| format!("migrations/{label}")).into();
        let place = Some(self.place(entry.mark));
        let managed = section.managed.take().unwrap_or(true);
        if !managed {
            apps.unmanaged.insert(label.clone(), mark_of(&entry.node, "managed"));
        }
        apps.push(App { label, tables, functions, migrations, names_migrations, managed, place }, entry.mark);
    }

    fn functions_of(&mut self, node: &Node, names: &Setting<OneOrMany>) -> Vec<TablePattern> {
        let mut functions = Vec::new();
        for (index, name) in names.get().into_iter().flat_map(OneOrMany::iter) {
            match TablePattern::new(name) {
                Some(pattern) => functions.push(pattern),
                None => self.tell(
                    Draft::new(Code::BadPattern, format!("`{name}` is no name of a function"))
                        .at(element_of(node, "functions", index), "not a name or a glob")
                        .help("write `order_total`, `shop_*` or `schema.name`, without parentheses"),
                ),
            }
        }
        functions
    }

    /// An app that a database claims; perhaps nobody declares it.
    pub(super) fn claimed(&mut self, apps: &mut Apps, path: &str, mark: Mark) -> Option<usize> {
        if !self.label_is_sound(path, mark) {
            return None;
        }
        let last = AppLabel::last_segment(path);
        if let Some(index) = apps.index.get(last) {
            return Some(*index);
        }
        let label = AppLabel::new(last);
        self.same_but_case(apps, &label, mark);
        let tables = TablePattern::defaults(&label);
        let migrations = format!("migrations/{label}").into();
        Some(apps.push(
            App {
                label,
                tables,
                functions: Vec::new(),
                migrations,
                names_migrations: false,
                managed: true,
                place: None,
            },
            mark,
        ))
    }

    fn label_is_sound(&mut self, label: &str, mark: Mark) -> bool {
        let sound = is_name(label);
        if !sound {
            self.tell(
                Draft::new(Code::BadName, format!("`{label}` cannot be the label of an app"))
                    .at(mark, "labels have letters, digits, `_`, `-` and dots between them"),
            );
        }
        sound
    }

    fn same_but_case(&mut self, apps: &Apps, label: &AppLabel, mark: Mark) {
        if let Some(first) = apps.alike(label)
            && first != label
        {
            let at = apps.mark(first);
            self.tell(
                Draft::new(Code::SameButCase, format!("`{label}` and `{first}` differ only in case"))
                    .at(mark, format!("written `{label}` here"))
                    .also(at, format!("written `{first}` here"))
                    .help("write both alike"),
            );
        }
    }

    /// No table is claimed by two apps, and no glob comes too late.
    pub(super) fn tables(&mut self, apps: &Apps, entries: &[Entry]) {
        let mut claims: FxHashMap<(Part<'_>, Part<'_>), (&AppLabel, Mark)> = FxHashMap::default();
        claims.reserve(apps.list.iter().map(|app| app.tables.len()).sum());
        let mut globs = Vec::new();
        // Only what is written can be at odds; the patterns that an app has by default give way.
        let written = entries.iter().filter(|entry| entry.node.entry("tables").is_some());
        for entry in written {
            let Some(app) =
                apps.index.get(AppLabel::last_segment(&entry.key)).map(|index| &apps.list[*index])
            else {
                continue;
            };
            for (index, pattern) in app.tables.iter().enumerate() {
                let mark = element_of(&entry.node, "tables", index);
                match claims.get(&pattern.key()) {
                    None => {
                        claims.insert(pattern.key(), (&app.label, mark));
                        if !pattern.is_exact() {
                            globs.push((app, pattern, mark));
                        }
                    }
                    Some((first, _)) if **first == app.label => self.tell(
                        Draft::new(Code::Repeated, format!("`{pattern}` stands twice in the list"))
                            .at(mark, "again here"),
                    ),
                    Some((first, at)) => {
                        let message = format!("`{pattern}` belongs to both `{first}` and `{}`", app.label);
                        self.tell(
                            Draft::new(Code::TableClaimedTwice, message)
                                .at(mark, format!("claimed for `{}` here", app.label))
                                .also(*at, format!("claimed for `{first}` here"))
                                .help("a table belongs to one app"),
                        );
                    }
                }
            }
        }
        if globs.is_empty() {
            return;
        }
        let map = TableMap::new(&apps.list);
        for (app, pattern, mark) in globs {
            let Some(first) = map.covering(pattern).filter(|first| **first != app.label) else { continue };
            let message = format!("`{pattern}` of the app `{}` matches nothing that is left", app.label);
            let at = apps.mark(first);
            self.tell(
                Draft::new(Code::Unreachable, message)
                    .at(mark, format!("the tables of `{first}` cover these"))
                    .also(at, "this app is declared before")
                    .help(format!("declare `{}` before `{first}`", app.label)),
            );
        }
    }
}

impl Apps {
    /// Makes room at once: a map that grows looks at all of its keys again, which lie scattered.
    pub(super) fn with_capacity(apps: usize) -> Self {
        Self {
            list: Vec::with_capacity(apps),
            index: FxHashMap::with_capacity_and_hasher(apps, Default::default()),
            marks: Vec::with_capacity(apps),
            capitals: FxHashMap::default(),
            unmanaged: FxHashMap::default(),
        }
    }

    fn push(&mut self, app: App, mark: Mark) -> usize {
        let index = self.list.len();
        if let Some(lower) = lower(&app.label) {
            self.capitals.insert(lower, index);
        }
        self.index.insert(app.label.clone(), index);
        self.list.push(app);
        self.marks.push(mark);
        index
    }

    /// Where an app is declared or first claimed.
    fn mark(&self, label: &AppLabel) -> Mark {
        self.index.get(label).map_or(Mark::default(), |index| self.marks[*index])
    }

    /// The label that differs from this one in nothing, or only in case.
    fn alike(&self, label: &AppLabel) -> Option<&AppLabel> {
        let lower = lower(label);
        let lower = lower.as_ref().unwrap_or(label);
        let index = self.capitals.get(lower).or_else(|| self.index.get(lower))?;
        Some(&self.list[*index].label)
    }
}

/// What is no pattern, with what to write instead.
fn bad_pattern(name: &str, error: &PatternError) -> Draft {
    let help = match error {
        PatternError::Name(NameError::Empty) => "write `posts`, `blog_*` or `schema.table`".to_owned(),
        PatternError::Name(NameError::Unclosed) => {
            "close the quote; one that is part of the name is written twice: `'\"5\"\" disks\"'`".to_owned()
        }
        PatternError::Name(NameError::AfterQuote) => {
            "a name in quotes is exact and ends there; leave the quotes out for a glob, which has `*` and `?`"
                .to_owned()
        }
        PatternError::Character(',') => "write a list: `tables: [posts, comments]`".to_owned(),
        PatternError::Character(_) => {
            "a name with such a character needs quotes of its own: `'\"order items\"'`".to_owned()
        }
        PatternError::TooManyParts(last) => format!("leave out all but schema and table: `{last}`"),
    };
    Draft::new(Code::BadPattern, format!("`{name}` is no name of a table")).help(help)
}

/// The label in lower case, if it is not already.
fn lower(label: &AppLabel) -> Option<AppLabel> {
    let has_capitals = label.as_str().chars().any(char::is_uppercase);
    has_capitals.then(|| AppLabel::new(&label.as_str().to_lowercase()))
}
