//! From the file model to the checked model, with all problems at once.

mod apps;
mod claims;
mod clusters;
mod databases;
mod health;
mod links;
mod password_file;
mod pool;
mod rules;
mod unclaimed;
mod urls;

use std::path::PathBuf;

use router_core::{Alias, AppLabel, DatabaseRule, Place, RuleKey, RuleRouter};
use rustc_hash::{FxHashMap, FxHashSet};

use super::assemble::element_mark;
use super::code::Code;
use super::draft::Draft;
use super::env::Variables;
use super::file::File;
use super::model::{App, Config, Database, Unrouted};
use super::names::ServerNames;
use super::node::{Entry, Mark, Node, Value};
use super::problem::Severity;
use super::read::list;
use super::snippet::Sources;
use super::values::{OneOrMany, Setting, Word};
use crate::engine::Hooks;
use crate::text::names::{self, NamePart};

/// What a check is made of.
pub(crate) struct Input<'a> {
    pub(crate) file: File,
    /// The tree from which the file model was read, for its places.
    pub(crate) root: &'a Node,
    pub(crate) sources: &'a Sources,
    pub(crate) variables: &'a Variables,
    /// The variables that overrule URLs, by alias.
    pub(crate) overruled: &'a FxHashMap<String, String>,
    pub(crate) environment: String,
    pub(crate) declares_environment: bool,
    pub(crate) files: Vec<PathBuf>,
}

/// What is known while checking.
struct Checker<'a> {
    sources: &'a Sources,
    variables: &'a Variables,
    overruled: &'a FxHashMap<String, String>,
    /// The files, by the numbers of marks.
    files: Vec<PathBuf>,
    env_prefix: Option<String>,
    /// The entries of the databases, by alias: also of those that are wrong.
    entries: FxHashMap<&'a str, &'a Entry>,
    /// The settings about rules that are written wrongly. The checker has reported them, and reports nothing that only
    /// follows from them.
    doubts: FxHashSet<(&'a str, RuleKey)>,
    /// Where each claim of a database stands in its list of apps, if part of the list is wrong.
    elements: FxHashMap<&'a str, Vec<usize>>,
    /// The databases whose `migrate_to` names one that may not migrate.
    nowhere: FxHashSet<Alias>,
    /// The aliases that differ from another only in case, which the judge of rules has found.
    same_but_case: FxHashSet<Alias>,
    /// How often a name may still be compared with all others, which are many.
    guesses: usize,
    problems: &'a mut Vec<Draft>,
}

/// Checks a file. The configuration is of use only if no error is among the problems.
pub(crate) fn check(input: Input<'_>, problems: &mut Vec<Draft>) -> Config {
    let Input { file, root, sources, variables, overruled, environment, declares_environment, files } = input;
    let section = |name| root.entry(name).map_or(&[][..], |entry| entry.node.entries());
    let databases_entries = section("databases");
    let mut checker = Checker::new(databases_entries, sources, variables, overruled, problems);
    checker.env_prefix = file.env_prefix.get().cloned();
    checker.files.clone_from(&files);
    let unrouted = checker.word(root, "unrouted", &file.unrouted, &UNROUTED).unwrap_or_default();
    checker.env_prefix(root);
    let write_functions = checker.functions(root, "write_functions", &file.write_functions);
    let state_functions = checker.functions(root, "state_functions", &file.state_functions);
    let read_functions = checker.functions(root, "read_functions", &file.read_functions);

    let declared = file.apps.take().unwrap_or_default().0;
    let sections = file.databases.take().unwrap_or_default().0;
    let claims = sections.iter().filter_map(|(_, section)| section.get()?.apps.get()).map(OneOrMany::len);
    let mut apps = Apps::with_capacity(declared.len().max(claims.sum()));
    for (entry, (_, section)) in section("apps").iter().zip(declared) {
        checker.app(&mut apps, entry, section);
    }
    checker.tables(&apps, section("apps"));

    let mut rules = Vec::with_capacity(databases_entries.len());
    let mut databases = Vec::with_capacity(databases_entries.len());
    for (entry, (_, section)) in databases_entries.iter().zip(sections) {
        let (rule, database) = checker.database(&mut apps, entry, section);
        rules.push(rule);
        databases.extend(database);
    }
    let is_map = |entry: &Entry| matches!(entry.node.value, Value::Map(_) | Value::Null);
    if databases_entries.is_empty() && root.entry("databases").is_none_or(is_map) {
        checker.no_databases(root);
    }
    let database_index: FxHashMap<Alias, usize> = databases
        .iter()
        .enumerate()
        .map(|(index, database): (usize, &Database)| (database.alias.clone(), index))
        .collect();
    let default = default(&file.default, &rules);
    let rules = checker.judge(root, &file.default, &default, rules, &apps);
    checker.alike(databases_entries);
    checker.links(&databases, &database_index);
    if let Some(rules) = rules {
        checker.notes(&databases, &database_index, &apps, &rules, unrouted);
    }

    Config {
        default,
        unrouted,
        server_names: ServerNames::of(&databases),
        env_prefix: checker.env_prefix,
        environment,
        declares_environment,
        write_functions,
        state_functions,
        read_functions,
        apps: apps.list,
        databases,
        notes: Vec::new(),
        files,
        database_index,
        app_index: apps.index,
        hooks: Hooks::default(),
    }
}

/// The apps so far.
struct Apps {
    list: Vec<App>,
    index: FxHashMap<AppLabel, usize>,
    /// Where each of them is declared or first claimed.
    marks: Vec<Mark>,
    /// The labels that are not in lower case, by what they are in lower case.
    capitals: FxHashMap<AppLabel, usize>,
    /// Where those that are `managed: false` say so.
    unmanaged: FxHashMap<AppLabel, Mark>,
}

const UNROUTED: [(&str, Unrouted); 2] = [("default", Unrouted::Default), ("error", Unrouted::Error)];

impl<'a> Checker<'a> {
    fn new(
        databases: &'a [Entry],
        sources: &'a Sources,
        variables: &'a Variables,
        overruled: &'a FxHashMap<String, String>,
        problems: &'a mut Vec<Draft>,
    ) -> Self {
        Self {
            sources,
            variables,
            overruled,
            files: Vec::new(),
            env_prefix: None,
            entries: databases.iter().map(|entry| (entry.key.as_str(), entry)).collect(),
            doubts: FxHashSet::default(),
            elements: FxHashMap::default(),
            nowhere: FxHashSet::default(),
            same_but_case: FxHashSet::default(),
            guesses: 100,
            problems,
        }
    }

    /// Tells what is worth knowing of a file that is valid. What is wrong may be why something is missing.
    fn notes(
        &mut self,
        databases: &[Database],
        index: &FxHashMap<Alias, usize>,
        apps: &Apps,
        rules: &RuleRouter,
        unrouted: Unrouted,
    ) {
        if self.problems.iter().all(|problem| problem.severity != Severity::Error) {
            self.clusters(databases, index);
            self.by_engine(databases);
            self.unclaimed(databases, index, apps, rules, unrouted);
        }
    }

    fn tell(&mut self, draft: Draft) {
        self.problems.push(draft);
    }

    /// The place of an entry. Every entry has one; line 1 is for a mark that has none.
    fn place(&self, mark: Mark) -> Place {
        self.sources.place(mark).unwrap_or_else(|| Place::new("", 1, 1))
    }

    /// What a word out of a few means.
    fn word<T: Copy>(
        &mut self,
        node: &Node,
        key: &str,
        word: &Setting<Word>,
        words: &[(&str, T)],
    ) -> Option<T> {
        let Word(word) = word.get()?;
        let meant = words.iter().find(|(name, _)| name == word).map(|(_, meaning)| *meaning);
        if meant.is_none() {
            let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
            let draft = Draft::new(Code::UnknownWord, format!("`{key}` cannot be `{word}`"))
                .at(mark_of(node, key), "this is none of the choices")
                .help(format!("the choices are {}", list(&names)))
                .did_you_mean(word, names.iter().copied());
            self.tell(draft);
        }
        meant
    }

    fn env_prefix(&mut self, root: &Node) {
        let Some(prefix) = &self.env_prefix else { return };
        let sound = prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && prefix.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !sound {
            self.tell(
                Draft::new(Code::BadName, "`env_prefix` cannot begin a variable's name")
                    .at(mark_of(root, "env_prefix"), "names of variables have letters, digits and `_`"),
            );
            // No message names a variable that begins with it.
            self.env_prefix = None;
        }
    }

    fn functions(&mut self, root: &Node, key: &str, names: &Setting<OneOrMany>) -> Vec<String> {
        let mut functions = Vec::new();
        for (index, name) in names.get().into_iter().flat_map(OneOrMany::iter) {
            if !is_function(name) {
                self.tell(
                    Draft::new(Code::BadName, format!("`{key}` lists the names of SQL functions"))
                        .at(element_of(root, key, index), "this is no such name")
                        .help("write the name alone, without parentheses: `bump_counter`"),
                );
            } else {
                functions.push(name.to_owned());
            }
        }
        functions
    }

    fn no_databases(&mut self, root: &Node) {
        let mark = match root.entry("databases") {
            Some(entry) => entry.mark,
            None => root.entries().first().map_or(Mark::default(), |entry| entry.mark),
        };
        self.tell(
            Draft::new(Code::NoDatabases, Code::NoDatabases.title())
                .at(mark, "`databases` names none")
                .help("declare one: `databases: { default: { url: sqlite://db/default.sqlite3 } }`"),
        );
    }

    /// An alias that names no database.
    fn unknown_alias(&mut self, key: &str, alias: &str, mark: Mark) -> Draft {
        let draft = Draft::new(Code::UnknownAlias, format!("`{key}` names no database"))
            .at(mark, format!("no database is called `{alias}`"));
        let Some(left) = self.guesses.checked_sub(1) else { return draft };
        self.guesses = left;
        draft.did_you_mean(alias, self.entries.keys().copied())
    }
}

/// The default database: the one that is named, else `default`, else `primary`, else the first that is no replica.
fn default(named: &Setting<String>, rules: &[DatabaseRule]) -> Alias {
    if let Some(alias) = named.get() {
        return Alias::from(alias.as_str());
    }
    let usual = |alias: &str| rules.iter().find(|rule| rule.alias == *alias);
    let first = || rules.iter().find(|rule| rule.replica_of.is_none());
    let rule = usual("default").or_else(|| usual("primary")).or_else(first);
    rule.map_or_else(|| Alias::new("default"), |rule| rule.alias.clone())
}

/// The place of the value of a key, or nothing where the key is not there.
fn mark_of(node: &Node, key: &str) -> Mark {
    node.entry(key).map_or(Mark::default(), Entry::value_mark)
}

/// The place of an element of the list of a key.
fn element_of(node: &Node, key: &str, index: usize) -> Mark {
    node.entry(key).map_or(Mark::default(), |entry| element_mark(entry, index))
}

/// Whether a name can be that of an SQL function, with its schema or without. In quotes it may be any.
fn is_function(name: &str) -> bool {
    let plain = |part: &NamePart<'_>| part.name.chars().all(|c| c.is_alphanumeric() || "_$".contains(c));
    names::parts(name).is_ok_and(|parts| parts.iter().all(|part| part.is_quoted || plain(part)))
}

/// Whether a name can be an alias or a label: letters, digits, `_`, `-` and dots between them.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphanumeric() || c == '_')
        && name.ends_with(|c: char| c.is_alphanumeric() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c))
        && !name.contains("..")
}
