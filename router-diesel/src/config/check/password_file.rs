//! Finds the file with a database's password, and refuses one that could never be used.

use std::path::{Path, PathBuf};

use super::{Checker, mark_of};
use crate::config::code::Code;
use crate::config::draft::Draft;
use crate::config::file::DatabaseSection;
use crate::config::node::{Entry, Mark, Node};
use crate::engine::DatabaseUrl;

const KEY: &str = "password_file";

impl Checker<'_> {
    /// The file with the password of a database. It is looked at when a connection is opened, and not before.
    ///
    /// A variable with a URL overrules the file's password as it overrules the rest, unless it brings no password.
    pub(super) fn password_file(
        &mut self,
        entry: &Entry,
        section: &DatabaseSection,
        url: Option<&DatabaseUrl>,
    ) -> Option<PathBuf> {
        let name = section.password_file.get()?;
        let mark = mark_of(&entry.node, KEY);
        if name.trim().is_empty() {
            let draft = Draft::new(Code::BadName, format!("`{KEY}` of `{}` names no file", entry.key));
            self.tell(draft.at(mark, "here").help("name the file, or remove the key"));
            return None;
        }
        let url = url?;
        let is_of_no_use = !url.takes_passwords() || url.has_password();
        if is_of_no_use && self.overruled.contains_key(&entry.key) {
            return None;
        }
        if !url.takes_passwords() {
            let title = url.engine().title();
            let draft = Draft::new(Code::Misplaced, format!("`{KEY}` means nothing for {title}"));
            self.tell(
                draft
                    .at(mark, "a file has no password")
                    .help(format!("remove `{KEY}`; in an environment, write `{KEY}: ~`")),
            );
            return None;
        }
        if url.has_password() {
            let draft =
                Draft::new(Code::PasswordAndFile, format!("`{}` has both a password and `{KEY}`", entry.key));
            self.tell(
                draft
                    .at(mark, "this is the file of a password")
                    .also(password_mark(&entry.node), "and here stands one")
                    .help(
                        "keep one of the two; in an environment, the value `~` takes away the one above it",
                    ),
            );
            return None;
        }
        let file = entry.node.entry(KEY).map_or(0, |setting| setting.node.mark.file);
        Some(self.beside(file, name))
    }

    /// A path that is relative to the file of this number.
    fn beside(&self, file: u32, path: &str) -> PathBuf {
        let file = self.files.get(file as usize).map(PathBuf::as_path);
        file.and_then(Path::parent).unwrap_or(Path::new("")).join(path)
    }
}

/// Where the password of a database stands: in a part of its own, among the options, or in the URL.
fn password_mark(node: &Node) -> Mark {
    let part = || node.entry("password").map(Entry::value_mark);
    let option = || node.entry("options")?.node.entry("password").map(Entry::value_mark);
    part().or_else(option).unwrap_or_else(|| mark_of(node, "url"))
}
