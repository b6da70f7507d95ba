//! Where answers and talk go.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::time::Duration;

use comfy_table::{Table, presets};
use router_diesel::config::Secrets;
use serde::Serialize;

use crate::args::Format;

/// The two streams of a program, and how the answer is to be written.
pub(crate) struct Output<'a> {
    pub(crate) format: Format,
    stdout: &'a mut dyn Write,
    stderr: &'a mut dyn Write,
    reader: Reader,
    talk: Talk,
    secrets: Secrets,
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
        secrets: Secrets,
    ) -> Self {
        Self { format, stdout, stderr, reader: Reader::Needed, talk, secrets }
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

    /// Writes one line of the answer, without secrets.
    pub(crate) fn line(&mut self, line: impl Display) -> io::Result<()> {
        let line = self.secrets.hide(&line.to_string());
        self.verbatim(&line)
    }

    /// Writes a text as it is: the project's own SQL, which somebody may want to run.
    pub(crate) fn verbatim(&mut self, text: &str) -> io::Result<()> {
        let written = writeln!(self.stdout, "{text}");
        self.heed(written)
    }

    /// Writes the answer as one line of JSON, without secrets.
    pub(crate) fn json(&mut self, answer: &impl Serialize) -> io::Result<()> {
        let answer = serde_json::to_string(answer)?;
        self.verbatim(&json_without_secrets(&answer, &self.secrets))
    }

    /// Writes rows in columns that line up, also in a pipe.
    pub(crate) fn columns<const N: usize>(
        &mut self,
        rows: impl IntoIterator<Item = [String; N]>,
    ) -> io::Result<()> {
        let mut table = Table::new();
        // The table breaks cells of several lines apart, and a secret may go over them.
        let rows = rows.into_iter().map(|cells| cells.map(|cell| self.secrets.hide(&cell)));
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
        let _ = writeln!(self.stderr, "{}", self.secrets.hide(&words.to_string()));
    }

    /// Hands over what was written so far, before another program takes the terminal.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()?;
        self.stderr.flush()
    }
}

/// Hides the secrets in the strings of a JSON text. The project's own SQL stays as it is.
fn json_without_secrets(json: &str, secrets: &Secrets) -> String {
    const VERBATIM: &str = "\"sql\":";

    let mut shown = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(start) = rest.find('"') {
        let end = start + string_length(&rest[start..]);
        let (before, string) = (&rest[..start], &rest[start..end]);
        shown.push_str(before);
        let text = Some(string).filter(|_| !(before.is_empty() && shown.ends_with(VERBATIM)));
        let text = text.and_then(|string| serde_json::from_str::<String>(string).ok());
        match text.map(|text| (secrets.hide(&text), text)) {
            Some((hidden, text)) if hidden != text => {
                shown.push_str(&serde_json::Value::String(hidden).to_string());
            }
            _ => shown.push_str(string),
        }
        rest = &rest[end..];
        if let Some(after) = rest.strip_prefix(':') {
            shown.push(':');
            rest = after;
        }
    }
    shown + rest
}

/// How long the JSON string is with which a text begins, with its quotes.
fn string_length(json: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in json.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    json.len()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_json_lose_their_secrets_and_sql_does_not() {
        let secrets = Secrets::of(["u:a`b c@h"]);
        for (json, expected) in [
            (r#"{"a":"x://u:hunter2@h","b":[1,"u:a`b c@h"]}"#, r#"{"a":"x://u:***@h","b":[1,"u:***@h"]}"#),
            (r#"{"u:hunter2@h":{"sql":null,"n":-1.50}}"#, r#"{"u:***@h":{"sql":null,"n":-1.50}}"#),
            (
                r#"{"sql":"SELECT 'u:hunter2@h'","x":"\"u:hunter2@h\""}"#,
                r#"{"sql":"SELECT 'u:hunter2@h'","x":"\"u:***@h\""}"#,
            ),
            (r#"{"a":"\\","b":"é"}"#, r#"{"a":"\\","b":"é"}"#),
        ] {
            assert_eq!(json_without_secrets(json, &secrets), expected, "{json}");
        }
    }
}
