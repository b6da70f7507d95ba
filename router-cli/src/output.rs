//! Where answers and talk go.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::time::Duration;

use comfy_table::{Table, presets};
use serde::Serialize;

use crate::args::Format;

/// The two streams of a program, and how the answer is to be written.
pub(crate) struct Output<'a> {
    pub(crate) format: Format,
    stdout: &'a mut dyn Write,
    stderr: &'a mut dyn Write,
    reader: Reader,
    talk: Talk,
}

/// Where the talk goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Talk {
    /// To a file, a pipe or a test: line by line.
    Lines,
    /// To a terminal of this process, which can show what is going on.
    Terminal,
}

/// What it means where the reader of the answer has gone away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// The command is for the answer alone, and ends with it.
    Needed,
    /// The command has work to do, and its exit status counts.
    Welcome,
}

impl<'a> Output<'a> {
    pub(crate) fn new(
        format: Format,
        talk: Talk,
        stdout: &'a mut dyn Write,
        stderr: &'a mut dyn Write,
    ) -> Self {
        Self { format, stdout, stderr, reader: Reader::Needed, talk }
    }

    /// Whether the talk goes to a terminal.
    #[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
    pub(crate) fn is_on_terminal(&self) -> bool {
        self.talk == Talk::Terminal
    }

    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Goes on with the work, and ends as it went, also where nobody reads the answer any more.
    pub(crate) fn outlive_reader(&mut self) {
        self.reader = Reader::Welcome;
    }

    /// Writes one line of the answer.
    pub(crate) fn line(&mut self, line: impl Display) -> io::Result<()> {
        let written = writeln!(self.stdout, "{line}");
        self.heed(written)
    }

    /// Writes the answer as one line of JSON.
    pub(crate) fn json(&mut self, answer: &impl Serialize) -> io::Result<()> {
        let written = serde_json::to_writer(&mut *self.stdout, answer).map_err(io::Error::from);
        let written = written.and_then(|()| writeln!(self.stdout));
        self.heed(written)
    }

    /// Writes rows in columns that line up, also in a pipe.
    pub(crate) fn columns<const N: usize>(
        &mut self,
        rows: impl IntoIterator<Item = [String; N]>,
    ) -> io::Result<()> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).add_rows(rows);
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        for line in table.lines() {
            self.line(line.trim_end())?;
        }
        Ok(())
    }

    fn heed(&self, written: io::Result<()>) -> io::Result<()> {
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe && self.reader == Reader::Welcome => Ok(()),
            written => written,
        }
    }

    /// Says something beside the answer. Where nobody listens any more, that is no reason to stop.
    ///
    /// What was written before comes before it, also where both go to one place.
    pub(crate) fn say(&mut self, words: impl Display) {
        let _ = self.stdout.flush();
        let _ = writeln!(self.stderr, "{words}");
    }

    /// Hands over what was written so far, before another program takes the terminal.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()?;
        self.stderr.flush()
    }
}

/// `1 database`, `3 databases`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// How long something took, as people read it.
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
pub(crate) fn took(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 1.0 { format!("{:.1} ms", seconds * 1000.0) } else { format!("{seconds:.1} s") }
}

/// How long something took, in milliseconds. Microseconds are precise enough, and short to read.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

/// A text of several lines in one, as a table and a log want it.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
