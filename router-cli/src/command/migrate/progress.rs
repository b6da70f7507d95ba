//! Progress on a terminal: a bar for each database that is being migrated, below the lines.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use router_core::Alias;
use router_diesel::migrate::Event;

use super::event;

/// The bars of the databases that are being migrated.
pub(super) struct Progress {
    all: MultiProgress,
    bars: Mutex<HashMap<Alias, ProgressBar>>,
}

impl Progress {
    /// Nothing where the terminal cannot show bars.
    pub(super) fn new() -> Option<Self> {
        let all = MultiProgress::new();
        (!all.is_hidden()).then(|| Self { all, bars: Mutex::default() })
    }

    /// Moves the bars, and writes a line above them where there is something that should stay.
    pub(super) fn tell(&self, event: &Event<'_>) {
        match event {
            Event::DatabaseStarted { database, pending, .. } => self.begin(database, *pending),
            Event::MigrationStarted { database, migration, .. } => {
                self.with_bar(database, |bar| bar.set_message(migration.to_string()));
            }
            event => {
                if let Event::MigrationFinished { database, .. } = event {
                    self.with_bar(database, |bar| bar.inc(1));
                }
                if let Event::DatabaseFinished { report } = event {
                    self.end(&report.database);
                }
                // A terminal that is gone is no reason to stop.
                let _ = event::in_words(event).map(|words| self.all.println(words));
            }
        }
    }

    fn begin(&self, database: &Alias, pending: usize) {
        let style = ProgressStyle::with_template("{prefix} [{bar:20}] {pos}/{len} {msg}");
        let bar = ProgressBar::new(pending as u64)
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "))
            .with_prefix(database.to_string());
        // To run again what was reverted, a database begins a second time.
        self.end(database);
        let bar = self.all.add(bar);
        bar.tick();
        self.bars().insert(database.clone(), bar);
    }

    fn end(&self, database: &Alias) {
        if let Some(bar) = self.bars().remove(database) {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
    }

    fn with_bar(&self, database: &Alias, change: impl FnOnce(&ProgressBar)) {
        if let Some(bar) = self.bars().get(database) {
            change(bar);
        }
    }

    fn bars(&self) -> MutexGuard<'_, HashMap<Alias, ProgressBar>> {
        self.bars.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
