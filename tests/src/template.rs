//! Fresh data folders, copied from one that was made before.

use std::{
    env, fs,
    hash::{DefaultHasher, Hash, Hasher as _},
    path::{Path, PathBuf},
    process::Command,
};

use crate::{HarnessError, program};

/// Fills the new folder `data` by `make`, or with a copy of what `make` once made for the same `recipe`.
///
/// Making one takes the servers' own tools most of a second, a copy less than a tenth. The copies lie in the target
/// folder, under a name that says what they were made from, so `cargo clean` removes them.
pub(crate) fn fill(
    data: &Path,
    engine: &str,
    recipe: impl Hash,
    make: impl FnOnce() -> Result<(), HarnessError>,
) -> Result<(), HarnessError> {
    let Some(templates) = templates_folder() else { return make() };
    let mut hasher = DefaultHasher::new();
    recipe.hash(&mut hasher);
    let template = templates.join(format!("{engine}-{:016x}", hasher.finish()));
    if template.is_dir() {
        return copy(&template, data);
    }
    make()?;
    // Complete in a folder of its own first: another test may be looking for it, or making the same. The first to
    // give it its name wins, and the others' drafts are removed.
    let draft = tempfile::Builder::new()
        .prefix("draft-")
        .tempdir_in(&templates)
        .map_err(HarnessError::io(format!("make a folder in `{}`", templates.display())))?;
    copy(data, &draft.path().join("data"))?;
    let _ = fs::rename(draft.path().join("data"), &template);
    Ok(())
}

/// A folder of the target folder in which this program was built; none where it runs from elsewhere.
fn templates_folder() -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    let target = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file())?;
    let templates = target.join("router-tests");
    fs::create_dir_all(&templates).ok()?;
    Some(templates)
}

/// Copies a folder with its owner and rights, which the servers insist on.
fn copy(from: &Path, to: &Path) -> Result<(), HarnessError> {
    program::run(Command::new("cp").arg("-a").arg(from).arg(to)).map(drop)
}
